"""Export: the reservations as other programs want them, which are to know the names too."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.models.pools import NETWORK, Reservation
from macvlan_ros.values import dataclass

_LABEL = re.compile(r"[a-zA-Z0-9_-]{1,63}")
_FIELDS = ("owner", "address", "mac", "pool", "host", "created", "kind")


@dataclass(frozen=True, slots=True)
class Entry:
    """A reservation for a file. `name` is the owner, with the domain where one was wanted; `id`
    is unlike every other's, also when one owner holds addresses in two pools."""

    name: str
    id: str
    held: Reservation


def entries(held: Sequence[Reservation], *, domain: str = "") -> tuple[Entry, ...]:
    """What belongs into a file of names, by address: all but what a Docker network itself holds.
    Raises InvalidRequest for a domain that is none."""
    suffix = f".{domain.strip('.')}" if domain else ""
    if domain and not _is_host_name(suffix[1:]):
        raise InvalidRequest(f"--domain {domain!r} is no domain; write it like lab.lan")
    wanted = [one for one in sorted(held, key=lambda one: one.address) if one.kind != NETWORK]
    times = Counter(one.owner for one in wanted)
    return tuple(
        Entry(
            one.owner + suffix,
            one.owner if times[one.owner] == 1 else f"{one.owner}.{one.pool}",
            one,
        )
        for one in wanted
    )


def render(form: str, wanted: Sequence[Entry]) -> str:
    """The whole file, ending with a newline. `form` is one of FORMS."""
    return FORMS[form](wanted)


def _is_host_name(text: str) -> bool:
    """Whether DNS could have it (RFC 1123, section 2.1), with '_', which ROS's names have."""
    return all(_LABEL.fullmatch(label) for label in text.split(".")) and len(text) <= 253


def _csv(wanted: Sequence[Entry]) -> str:
    """RFC 4180's fields, with plain newlines; the first line names them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_FIELDS)
    writer.writerows([getattr(one.held, field) for field in _FIELDS] for one in wanted)
    return out.getvalue()


def _hosts(wanted: Sequence[Entry]) -> str:
    """hosts(5): with a domain, the short name stands behind the long one."""
    lines = ["# from macvlan-ros"]
    for one in wanted:
        names = dict.fromkeys((one.name, one.held.owner))
        lines.append(f"{one.held.address}\t{' '.join(names)}")
    return _lines(lines)


def _dnsmasq(wanted: Sequence[Entry]) -> str:
    """dnsmasq(8): a lease for each MAC, and the name also where no lease is asked for."""
    lines = ["# from macvlan-ros; dnsmasq reads it from /etc/dnsmasq.d"]
    for one in wanted:
        address = f"[{one.held.address}]" if one.held.address.version == 6 else one.held.address
        if _is_host_name(one.name):
            lines.append(f"dhcp-host={one.held.mac},{address},{one.held.owner}")
            lines.append(f"host-record={one.name},{one.held.address}")
        else:  # dnsmasq would not start
            lines.append(f"# {one.held.owner} is no host's name")
            lines.append(f"dhcp-host={one.held.mac},{address}")
    return _lines(lines)


def _isc(wanted: Sequence[Entry]) -> str:
    """dhcpd.conf(5): a host statement each."""
    lines = ["# from macvlan-ros; for ISC dhcpd: include it in dhcpd.conf (v6: in dhcpd6.conf)"]
    for one in wanted:
        fixed = "fixed-address6" if one.held.address.version == 6 else "fixed-address"
        lines.append(
            f"host {re.sub('[.]{2,}', '.', one.id)} {{ hardware ethernet {one.held.mac}; {fixed}"
            f' {one.held.address}; option host-name "{one.held.owner}"; }}'
        )
    return _lines(lines)


def _kea(wanted: Sequence[Entry]) -> str:
    """Kea's host reservations for IPv4 (Kea's manual, "Host Reservations in DHCPv4"); its server
    for one version takes no file with the other's in it."""
    return _kea_file("Dhcp4", [(one, {"ip-address": _text(one)}) for one in _of(4, wanted)])


def _kea6(wanted: Sequence[Entry]) -> str:
    """The same for IPv6."""
    return _kea_file("Dhcp6", [(one, {"ip-addresses": [_text(one)]}) for one in _of(6, wanted)])


def _kea_file(server: str, places: Sequence[tuple[Entry, Mapping[str, object]]]) -> str:
    reservations = [
        {"hw-address": one.held.mac, **place, "hostname": one.name} for one, place in places
    ]
    return json.dumps({server: {"reservations": reservations}}, indent=2) + "\n"


def _of(version: int, wanted: Sequence[Entry]) -> list[Entry]:
    return [one for one in wanted if one.held.address.version == version]


def _text(one: Entry) -> str:
    return str(one.held.address)


def _ansible(wanted: Sequence[Entry]) -> str:
    """An inventory in Ansible's INI form, with a group for each pool and each host."""
    groups: dict[str, list[str]] = {}
    lines = ["# from macvlan-ros", "[macvlan_ros]"]
    for one in wanted:
        held = one.held
        lines.append(f"{one.id} ansible_host={held.address} macvlan_ros_mac={held.mac}")
        groups.setdefault(_group("pool", held.pool), []).append(one.id)
        if held.host:
            groups.setdefault(_group("host", held.host), []).append(one.id)
    for group, names in sorted(groups.items()):
        lines += ["", f"[{group}]", *names]
    return _lines(lines)


def _group(kind: str, name: str) -> str:
    """A group's name: Ansible wants those of Python's variables."""
    return f"{kind}_" + re.sub(r"\W", "_", name, flags=re.ASCII)


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


#: The forms that `render` knows, by the name of the option's value.
FORMS: dict[str, Callable[[Sequence[Entry]], str]] = {
    "csv": _csv,
    "hosts": _hosts,
    "dnsmasq": _dnsmasq,
    "isc": _isc,
    "kea": _kea,
    "kea6": _kea6,
    "ansible": _ansible,
}
