"""A pool of exactly 1,000 addresses, 1,000 owners, ten hosts at once: all are served.

Spiderpool measures the field by it (there it is 1,000 pods), and whereabouts fails.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from macvlan_ros.addresses import size
from macvlan_ros.ipam import Ipam
from macvlan_ros.notation import parse_pool
from macvlan_ros.opening import open_for
from macvlan_ros.reserving.around import Surroundings
from macvlan_ros.settings import Settings
from macvlan_ros.stores import audit
from tests.stores.processes import run_all

HOSTS = 10
POOL = parse_pool("lab", subnet="10.0.0.0/16", ranges=["10.0.1.1-10.0.4.232"])


def test_ten_hosts_serve_a_thousand_owners_out_of_a_thousand_addresses(
    etcd_url: str, tmp_path: Path
) -> None:
    assert size(POOL) == 1000

    def serve(number: int) -> Callable[[], dict[str, str]]:
        name = f"host{number}"

        def work() -> dict[str, str]:
            settings = Settings(store=etcd_url, host=name, etcd_copy=str(tmp_path / name))
            found = {}
            with closing(open_for(settings, note=lambda _: None)) as store:
                ipam = Ipam(store, surroundings=lambda _: Surroundings(), host=name)
                ipam.add_pool(POOL)
                for count in range(1000 // HOSTS):
                    owner = f"{name}-{count}"
                    (made,) = ipam.allocate("lab", [owner])
                    found[owner] = str(made.reservation.address)
            return found

        return work

    served: dict[str, str] = {}
    for found in run_all([serve(number) for number in range(HOSTS)]):
        served |= found
    assert len(served) == len(set(served.values())) == 1000
    settings = Settings(store=etcd_url, host="host0", etcd_copy=str(tmp_path / "host0"))
    with closing(open_for(settings, note=lambda _: None)) as store:
        assert {held.owner: str(held.address) for held in store.reservations()} == served
        assert audit.find_faults(store) == ()
