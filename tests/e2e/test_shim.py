"""A host and its own container on Docker's macvlan network, with and without the shim."""

from __future__ import annotations

from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.links import Links
from macvlan_ros.reaching.guiding import guide
from macvlan_ros.reaching.shim import ensure_shim, remove_shim
from tests.e2e.conftest import IMAGE
from tests.lab import Host

BOX, SHIM = IPAddress("192.168.50.195"), IPAddress("192.168.50.200")


def pings(host: Host, *words: str) -> bool:
    """Whether `WORDS ping …` comes back; the words end with the address."""
    *before, address = words
    done = host.run(*before, "busybox", "ping", "-c", "2", "-W", "1", address, check=False)
    return done.returncode == 0


def test_a_host_and_its_own_container_reach_each_other_through_the_shim(
    qtpc: Host, qtrp: Host
) -> None:
    host_address = str(qtpc.address)
    qtpc.docker(
        *("network", "create", "-d", "macvlan", "--subnet", "192.168.50.0/24"),
        *("-o", "parent=eth0", "lan"),
    )
    qtpc.docker("run", "-d", "--name", "box", "--network", "lan", "--ip", str(BOX), IMAGE)
    container = ("docker", "exec", "box")
    assert not pings(qtpc, str(BOX))
    assert not pings(qtpc, *container, host_address)

    pid = qtpc.docker("inspect", "-f", "{{.State.Pid}}", "box").strip()
    with Links(namespace=Path(f"/proc/{qtpc.pid}/ns/net")) as links:
        shim = ensure_shim(links, parent="eth0", addresses=[SHIM], containers=[BOX])
        with Links(namespace=Path(f"/proc/{pid}/ns/net")) as inside:
            guide(inside, host=[IPAddress(host_address)], via=shim.addresses)
        assert pings(qtpc, str(BOX))
        assert pings(qtpc, *container, host_address)
        assert pings(qtpc, *container, str(SHIM))
        for address in (host_address, str(SHIM), str(BOX)):
            assert pings(qtrp, address)
        assert remove_shim(links, parent="eth0")
    assert not pings(qtpc, str(BOX))
