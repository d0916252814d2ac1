"""The shim's MAC, and what its module loads."""

from __future__ import annotations

import subprocess
import sys

from netaddr import EUI

from macvlan_ros.reaching.shim import shim_mac


def test_a_shims_mac_is_its_parents_alone_locally_administered_and_no_groups() -> None:
    macs = {shim_mac(f"b8:27:eb:00:00:{last:02x}") for last in range(256)}
    assert len(macs) == 256
    assert all(EUI(mac).words[0] & 0b11 == 0b10 for mac in macs)
    assert shim_mac("B8:27:EB:00:00:01") == shim_mac("b8:27:eb:00:00:01")


def test_netlink_is_loaded_at_the_first_call_and_not_before() -> None:
    code = (
        "import sys, macvlan_ros.reaching.shim, macvlan_ros.links\n"
        "links = macvlan_ros.links.Links()\n"
        "print('pyroute2' in sys.modules)\n"
        "links.links()\n"
        "print('pyroute2' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["False", "True"]
