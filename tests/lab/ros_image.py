"""ROS 1 for the lab: Debian's packages of it as a folder, made once, which images share."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import debian, images
from .errors import LabError
from .host import Host

#: The image's name in an engine of the lab.
NAME = "ros:lab"

SUITE = "bookworm"
#: ROS's own command lines with what they print from, and a system around them.
PACKAGES = (
    *("python3-roslaunch", "python3-rosmaster", "python3-rostopic", "python3-rosnode"),
    *("python3-rospy", "python3-std-msgs", "rosout", "rosbash"),
    *("base-files", "bash", "coreutils", "dash", "findutils", "grep", "hostname", "libc-bin"),
    *("mawk", "procps", "sed", "iproute2", "iputils-ping", "busybox-static"),
)
#: What builds packages and signs them: 150 MB that a running node has no use for.
WITHOUT = (
    *("cmake", "perl", "perl-base", "libperl5.36", "gnupg", "pkg-config", "debconf"),
    *("libfile-find-rule-perl", "dpkg", "adduser", "passwd", "tzdata", "lsb-base", "lsb-release"),
    *("init-system-helpers", "usrmerge", "sgml-base", "xml-core", "pkgconf"),
    *("libpam-modules", "libcap2-bin", "debianutils"),
)

PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
FILES = {
    "etc/passwd": PASSWD,
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    # Docker writes these two for its containers; whoever uses the tree as it is needs them too
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/resolv.conf": "",
    "bin/rest": images.REST,
    "bin/answer": images.ANSWER,
}
#: What an installation would have done: Python starts in half the time. What nobody reads goes.
FINISH = """
ln -s mawk /usr/bin/awk
for program in $(busybox --list); do
    command -v $program >/dev/null || ln -s /bin/busybox /usr/bin/$program
done
python3 -m compileall -q -x "/(test|setuptools|pkg_resources|distutils|lib2to3|docutils)/" \
    /usr/lib/python3.11 /usr/lib/python3
rm -rf /usr/share/doc /usr/share/man /usr/share/locale
"""

#: Prints the first message of the topic /test, and ends.
ECHO = ("rostopic", "echo", "-n1", "/test")


def tree() -> Path:
    """The folder, made at the first call (ten seconds). Raises LabError when it cannot be."""
    return debian.tree(SUITE, PACKAGES, without=WITHOUT, files=FILES, finish=FINISH)


def is_there() -> bool:
    """Whether it is made, so that `tree` takes no time."""
    return debian.place(SUITE, PACKAGES, without=WITHOUT, files=FILES, finish=FINISH).exists()


def give(
    host: Host,
    name: str = NAME,
    *,
    env: Mapping[str, str] | None = None,
    cmd: Sequence[str] | None = None,
) -> None:
    """Makes an image of it in the host's engine; it has `env`, and rests unless `cmd` is given."""
    host.import_image(name, env=env, cmd=cmd, tree=tree())


def wait_for_topic(host: Host, container: str, topic: str, *, patience: float = 60.0) -> None:
    """Returns when the master that a container is told of answers it, and knows the topic."""
    deadline = time.monotonic() + patience
    while topic not in host.docker("exec", container, "rostopic", "list", check=False).split():
        if time.monotonic() > deadline:
            said = f"{container} on {host.name} hears of no topic {topic} after {patience:g} s"
            raise LabError(said)
        time.sleep(0.1)


#: Where a PC of the lab has its own ROS, for `chroot`.
ON_HOST = "/run/ros"


def install(host: Host) -> None:
    """Gives the PC itself ROS, as if it were installed there: `chroot /run/ros rostopic list`."""
    script = """
        mountpoint -q "$1" && exit
        mkdir -p "$1" "$1.upper" "$1.work"
        mount -t overlay -o "lowerdir=$2,upperdir=$1.upper,workdir=$1.work" lab "$1"
        mount --bind /proc "$1/proc"
        mount --bind /dev "$1/dev"
        cp /etc/hosts /etc/resolv.conf "$1/etc"
    """
    host.run("sh", "-euc", script, "sh", ON_HOST, str(tree()))


if __name__ == "__main__":
    sys.stdout.write(f"{tree()}\n")
