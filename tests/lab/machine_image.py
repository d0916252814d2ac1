"""The disk of the lab's virtual machine: a Debian with Docker and Python, made once.

It is for what network namespaces on this machine's kernel cannot show: VLANs, another kernel.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import debian, images, python_image
from .errors import LabError
from .host import ROOT

SUITE = "trixie"
PACKAGES = (
    *("base-files", "base-passwd", "coreutils", "dash", "grep", "libc-bin", "sed", "util-linux"),
    *("docker.io", "docker-cli", "iptables", "iproute2", "kmod", "mount", "systemd"),
    *("busybox-static", "linux-image-cloud-amd64", "python3"),
)
#: What those depend on and have no use for here.
WITHOUT = (
    *("adduser", "debconf", "dpkg", "init-system-helpers", "initramfs-tools", "linux-base"),
    *("lsb-base", "perl-base", "tzdata"),
)
#: Bytes: room for the files, and for what a test makes.
SIZE = 1500 << 20
#: Seconds for one step of making the disk.
PATIENCE = 120.0

#: A service of systemd's: commands from the second serial port, as lines of base64, are answered
#: there with what they said and their exit code.
AGENT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8
ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1
echo ready
while read -r line; do
    echo "$line" | base64 -d >/run/agent.sh
    sh /run/agent.sh >/run/agent.out 2>/run/agent.err </dev/null
    code=$?
    echo "$(base64 -w0 /run/agent.out)_$(base64 -w0 /run/agent.err)_$code"
done
"""
AGENT_UNIT = """[Unit]
After=basic.target

[Service]
ExecStart=/usr/sbin/agent
# what a command leaves running is not the agent's to end
KillMode=process
"""
#: Before systemd: the modules of the disk, and what the tests bring along, on a disk of its own.
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do
    /bin/busybox insmod /modules/$module
done
/bin/busybox mount -t ext4 /dev/vda /disk
/bin/busybox tar -x -C /disk -f /dev/vdb
/bin/busybox mount --move /dev /disk/dev
exec /bin/busybox switch_root /disk /usr/lib/systemd/systemd
"""
DOCKERD = "--iptables=false --ip6tables=false --bridge=none --exec-opt native.cgroupdriver=cgroupfs"
FILES = {
    "usr/sbin/agent": AGENT,
    "etc/systemd/system/agent.service": AGENT_UNIT,
    # there is nobody to ask for control groups over D-Bus, and no bridge is wanted
    "etc/default/docker": f'DOCKER_OPTS="{DOCKERD}"\n',
    "etc/machine-id": "6d6163766c616e2d726f732d6c616221\n",
    "etc/hostname": "robot\n",
    "etc/hosts": "127.0.0.1 localhost robot\n",
    "etc/resolv.conf": "",
    "etc/fstab": "",
}
#: What an installation would have done; and of systemd no more than is needed, for all is slow.
FINISH = """
cp /usr/share/base-passwd/passwd.master /etc/passwd
cp /usr/share/base-passwd/group.master /etc/group
echo docker:x:999: >>/etc/group
rmdir /var/run /var/lock
ln -s /run /run/lock /var
depmod $(ls /usr/lib/modules)
ln -s busybox /usr/bin/ping
python3 -m compileall -q -x "/(test|idlelib|lib2to3)/" /usr/lib/python3*
cd /usr/lib/systemd/system
rm -r multi-user.target.wants timers.target.wants sysinit.target.wants
mkdir sysinit.target.wants
ln -s ../systemd-journald.service sysinit.target.wants
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s ../agent.service /etc/systemd/system/multi-user.target.wants
ln -s /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target
rm -rf /usr/share/doc /usr/share/man /usr/share/locale
"""
#: In the order in which they are loaded; the others come when they are asked for.
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "ext4")


def make() -> Path:
    """A folder with `kernel`, `initrd` and `disk`, and `root`, the disk's files.

    Made at the first call (half a minute) and kept. Raises LabError when it cannot be made.
    """
    tree = debian.tree(SUITE, PACKAGES, without=WITHOUT, files=FILES, finish=FINISH)
    recipe = tree.name.encode() + Path(__file__).read_bytes()
    recipe += (ROOT / "setup.cfg").read_bytes()
    made = debian.KEPT / f"machine-{hashlib.sha256(recipe).hexdigest()[:12]}"
    with debian.one_at_a_time(made):
        if not made.exists():
            work = made.with_suffix(".work")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            _make(work, tree)
            work.rename(made)
    return made


def _make(work: Path, tree: Path) -> None:
    root = work / "root"
    _run("cp", "-al", str(tree), str(root))  # nothing of it is changed, only added to
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder)
        version = (root / "usr/bin/python3").readlink().name.removeprefix("python")
        python_image.fetch_wheels(wheels, python=version)
        for wheel in wheels.glob("*.whl"):
            shutil.unpack_archive(wheel, root / place(root), "zip")
    _run("chroot", str(root), "python3", "-m", "compileall", "-q", f"/{place(root)}")
    shutil.copy(next((root / "boot").glob("vmlinuz-*")), work / "kernel")
    (work / "initrd").write_bytes(initrd(root))
    with (work / "disk").open("wb") as disk:
        disk.truncate(SIZE)
    _run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-d", str(root), str(work / "disk"))


def place(root: Path) -> str:
    """Where Python in these files looks for packages that are not Debian's."""
    return f"usr/local/lib/{(root / 'usr/bin/python3').readlink().name}/dist-packages"


def initrd(root: Path) -> bytes:
    """A first root filesystem, in memory, that mounts the disk (initramfs, cpio's newc format)."""
    modules = next((root / "usr/lib/modules").iterdir())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for made in ("bin", "dev", "disk", "modules"):
            (folder / made).mkdir()
        shutil.copy(images.static_busybox(), folder / "bin/busybox")
        (folder / "init").write_text(INIT)
        (folder / "init").chmod(0o755)
        order = load_order(modules, MODULES)
        for path in order:
            data = (modules / path).read_bytes()
            data = lzma.decompress(data) if path.endswith(".xz") else data
            (folder / "modules" / plain_name(path)).write_bytes(data)
        text = "\n".join(plain_name(path) for path in order) + "\n"
        (folder / "modules/order").write_text(text)
        listing = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
        busybox = [str(images.static_busybox()), "cpio", "-o", "-H", "newc"]
        done = subprocess.run(
            busybox, input=listing.encode(), cwd=folder, capture_output=True, check=True
        )
    return done.stdout


def load_order(modules: Path, wanted: tuple[str, ...]) -> list[str]:
    """The files of the wanted modules and of what each needs before it, as depmod noted them."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    order: list[str] = []
    for name in wanted:
        found = [path for path in needs if plain_name(path) == f"{name}.ko"]
        for path in found:
            order += [each for each in [*reversed(needs[path]), path] if each not in order]
    return order


def plain_name(path: str) -> str:
    """A module file's name without its compression."""
    return re.sub(r"\.(xz|zst|gz)$", "", Path(path).name)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{command[0]} did not end within {PATIENCE:g} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise LabError(f"the virtual machine's disk cannot be made: {command[0]}: {said[-1]}")


if __name__ == "__main__":
    sys.stdout.write(f"{make()}\n")
