"""Stages: what the PCs of a lab have when a page begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.docs import beside
from tests.docs.installed import command, install
from tests.docs.pages import all_pages, read
from tests.docs.typing_out import compare, do
from tests.e2e.plugin_host import PluginHost
from tests.e2e.three_hosts import start_etcd
from tests.lab import Host, Lab, ros_image
from tests.lab.robot import furnish

PCS = ("qtpc", "qtrp")
#: Names of images that the pages use; all of them are Debian's ROS 1 in the lab.
ROS_IMAGES = ("ros:noetic",)
#: The stages of pages that other tests type: those that want a kernel of their own, and a swarm.
MACHINE = "a virtual machine"
SWARM = "a swarm of three"


def staged() -> list[Path]:
    """The pages that are typed on the PCs of a lab; tests/e2e/test_machine.py and test_swarm.py
    type the others."""
    return [path for path in all_pages() if read(path).stage not in (MACHINE, SWARM)]


def type_out(path: Path) -> None:
    """A page's steps done on its stage. Raises NotAsShown where something is not as it says."""
    page = read(path)
    with opened(page.stage) as hosts:
        compare(page, do(page, hosts))


@contextmanager
def opened(stage: str) -> Iterator[Mapping[str, Host]]:
    """A LAN of PCs as the stage has it, each with an engine, and the commands that an
    installation gives: macvlan-ros, docker, sudo."""
    prepare = STAGES[stage]
    with Lab(hosts=OTHER_PCS.get(stage, PCS)) as lab:
        for host in lab.hosts.values():
            install(host)
        prepare(lab)
        yield lab.hosts


def _nothing(_lab: Lab) -> None:
    """Engines without an image."""


def _ros(lab: Lab) -> None:
    for host in lab.hosts.values():
        for name in ROS_IMAGES:
            ros_image.give(host, name)


def _ros_on_pcs(lab: Lab) -> None:
    """ROS on the PCs themselves, too."""
    _ros(lab)
    for host in lab.hosts.values():
        ros_image.install(host)
        for name in ("roscore", "rostopic"):
            command(host, name, f'exec chroot {ros_image.ON_HOST} {name} "$@"')


def _trouble(lab: Lab) -> None:
    """Also somebody's laptop, without Docker, which may take whatever address it likes."""
    _ros_on_pcs(lab)
    lab.add_host("laptop")


def _harmoni(lab: Lab) -> None:
    """ROS 1 under the names of HARMONI's images."""
    for host in lab.hosts.values():
        furnish(host, ros=True)
        host.import_image("my/ros-image")


def _overlay(lab: Lab) -> None:
    """A swarm that qtpc manages, with an overlay network, and a container of a robot's on each PC.
    They are not on the overlay: to attach one takes the swarm up to 20 seconds."""
    _ros(lab)
    swarm(lab)
    options = ("-d", "overlay", "--attachable", "--subnet", "172.18.3.0/24")
    lab.hosts["qtpc"].docker("network", "create", *options, "ros_net")
    for name, host in zip(("roscore", "talker"), lab.hosts.values(), strict=True):
        host.docker("run", "-d", "--name", name, *ROS_IMAGES, "/bin/rest")


def _swarm_services(lab: Lab) -> None:
    """A swarm that qtpc manages, with our service on each PC and a store on etcd."""
    url = start_etcd(lab.hosts["qtrp"])
    for host in lab.hosts.values():
        host.import_image("my/ros-image")
        host.path("/etc/macvlan-ros.conf").write_text(f"[macvlan-ros]\nstore = {url}\n")
        PluginHost(host).start()
    swarm(lab)


def swarm(lab: Lab) -> None:
    """All PCs in a swarm that the first one manages."""
    manager, *workers = lab.hosts.values()
    manager.docker("swarm", "init", "--advertise-addr", manager.address)
    token = manager.docker("swarm", "join-token", "-q", "worker")
    for worker in workers:
        worker.docker("swarm", "join", "--token", token, f"{manager.address}:2377")


def _named(lab: Lab) -> None:
    """Images that say which ROS they have, for what they are told; there is none in them."""
    for host in lab.hosts.values():
        for name, distribution in (("ros:noetic", "noetic"), ("ros:jazzy", "jazzy")):
            host.import_image(name, env={"ROS_DISTRO": distribution})
        host.import_image("redis:7")


#: The PCs, where they are others than PCS.
OTHER_PCS = {
    "etcd on the PCs": ("qtpc", "qtrp", "qtnx"),
    "talkers": ("pc-a", "pc-b"),
    "a project": ("qtpc",),
    "a desktop": ("qtpc",),
    "the plugin": ("qtpc",),
}

#: By the name in a page's `<!-- lab: … -->`: what the PCs are given.
STAGES: dict[str, Callable[[Lab], None]] = {
    "": _nothing,
    "ros": _ros,
    "ros on the PCs": _ros_on_pcs,
    "trouble": _trouble,
    "harmoni": _harmoni,
    "a swarm's overlay": _overlay,
    "a swarm with the plugin": _swarm_services,
    "images of ROS": _named,
    "a router": beside.router,
    "etcd on the PCs": beside.etcd,
    "one chair": beside.chair,
    "the plugin": beside.plugin,
    "names": beside.names,
    "talkers": beside.talkers,
    "a project": beside.project,
    "a desktop": beside.desktop,
}
