"""A LAN with the machine that asks on it, for tests of what is asked and announced there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from macvlan_ros.wire.arp import Wire
from tests.netns.lan import Lan, Machine, make_lan


@pytest.fixture
def lan() -> Iterator[Lan]:
    with make_lan() as made:
        yield made


@pytest.fixture
def pc(lan: Lan) -> Machine:
    """The machine that asks."""
    return lan.add("192.168.50.11/24", "fd00:50::11/64")


@pytest.fixture
def wire(pc: Machine) -> Iterator[Wire]:
    with Wire("eth0", namespace=pc.path) as made:
        yield made
