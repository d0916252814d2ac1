"""Which MACs run on a host, told by the filters of its interfaces. Needs root."""

from __future__ import annotations

import pytest

from macvlan_ros.links import Links
from tests.netns.namespace import cable, namespaces

MAC = "02:42:aa:bb:cc:dd"


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthru"])
def test_a_macvlan_link_in_another_namespace_is_seen_while_it_is_up(mode: str) -> None:
    with namespaces("pc", "switch", "container") as (pc, switch, container):
        cable(pc, "eth0", switch, "p0")
        pc.ip("link set eth0 up")
        switch.ip("link set p0 up")
        with Links(namespace=pc.path) as links:
            pc.ip(f"link add m0 link eth0 address {MAC} type macvlan mode {mode}")
            pc.ip(f"link set m0 netns {container.name}")
            before = links.running_macs()
            # as Docker does, for passthru gave it the parent's MAC in place of its own
            container.ip(f"link set m0 address {MAC}")
            container.ip("link set m0 up")
            during = links.running_macs()
            container.ip("link delete m0")
            after = links.running_macs()
    assert (MAC in before, MAC in during, MAC in after) == (False, True, False)


def test_what_a_bridge_has_learnt_does_not_run_here() -> None:
    with namespaces("pc", "other") as (pc, other):
        cable(pc, "p0", other, "eth0")
        pc.ip("link add br0 type bridge")
        pc.ip("link set p0 master br0")
        for words in ("p0 up", "br0 up"):
            pc.ip(f"link set {words}")
        pc.ip("address add 192.168.50.11/24 dev br0")
        other.ip(f"link set eth0 address {MAC} up")
        other.ip("address add 192.168.50.12/24 dev eth0")
        assert pc.answers("192.168.50.12")
        assert MAC in pc.run("bridge", "fdb", "show"), "the bridge has learnt it"
        with Links(namespace=pc.path) as links:
            assert MAC not in links.running_macs()
