"""DHCP: which servers the LAN has, and what they offer. Takes no lease.

A DISCOVER (RFC 2131) that is never followed by a REQUEST: a server that offered an address takes
it back by itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.values import dataclass
from macvlan_ros.wire import bpf, dhcp_messages, frames
from macvlan_ros.wire.packet_port import Port

#: dnsmasq pings an address for three seconds before it offers it.
PATIENCE = 4.0
_ASK_EVERY = 1.0
# Whether somebody still waits is looked at so often.
_LOOK_EVERY = 0.2
_MOST_OFFERS = 64


@dataclass(frozen=True, slots=True)
class Offer:
    """What one server offers. `mac` is the one that the offer came from, a relay's perhaps.

    `lease_s` is seconds; what the server left out is None.
    """

    server: IPAddress
    address: IPAddress
    mac: str
    netmask: IPAddress | None = None
    router: IPAddress | None = None
    lease_s: int | None = None


def find_servers(
    interface: str,
    *,
    seconds: float = PATIENCE,
    namespace: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Offer, ...]:
    """What each DHCP server on the interface's LAN offers to a client that it does not know.

    Always takes `seconds`, for a second server is worth waiting for, or until `stopped` says that
    nobody waits any more. Takes CAP_NET_RAW. Raises Forbidden, ParentNotFound, BadParent,
    KernelRefused.
    """
    with Port(interface, frames.ETH_IPV4, namespace=namespace) as port:
        port.filter(bpf.udp_to(dhcp_messages.CLIENT_PORT))
        transaction, client = random.getrandbits(32), client_mac(port.mac)

        def read(frame: bytes) -> tuple[Offer, ...]:
            offer = parse_offer(frame, transaction, client)
            return (offer,) if offer is not None else ()

        question = discover(transaction, client, source=port.mac)
        offers = gather(port, question, read, seconds=seconds, stopped=stopped)
    first: dict[IPAddress, Offer] = {}
    for offer in offers:  # a server that is asked again may offer another address
        first.setdefault(offer.server, offer)
    return tuple(first.values())


def gather(
    port: Port,
    question: bytes,
    read: Callable[[bytes], Iterable[Offer]],
    *,
    seconds: float,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Offer, ...]:
    """What `read` makes of the frames that come in so many seconds, or until it is `stopped`, each
    once, at most 64; the `question` is put every second."""
    found: dict[tuple[IPAddress, IPAddress], Offer] = {}
    end, ask_at = time.monotonic() + seconds, 0.0
    while (now := time.monotonic()) < end and not stopped():
        if now >= ask_at:
            port.send(question)
            ask_at = now + _ASK_EVERY
        for frame in port.receive(min(end, ask_at, now + _LOOK_EVERY) - now):
            for offer in read(frame):
                if len(found) < _MOST_OFFERS:
                    found.setdefault((offer.server, offer.address), offer)
    return tuple(found.values())


def client_mac(mac: str) -> str:
    """The MAC of a client that no server knows, the same each time for an interface.

    With the interface's own the server would offer the host's own lease again, and with one at
    random each question would leave one more client in its table.
    """
    raw = frames.mac_bytes(mac)
    return frames.mac_text(bytes([(raw[0] ^ 0x04) | 0x02]) + raw[1:])


def discover(transaction: int, mac: str, *, source: str = "") -> bytes:
    """A DISCOVER as a whole frame."""
    return dhcp_messages.build(
        dhcp_messages.DISCOVER,
        transaction=transaction,
        mac=mac,
        source=source or mac,
        options=[(dhcp_messages.WANTED, dhcp_messages.ASKED)],
    )


def parse_offer(frame: bytes, transaction: int, mac: str) -> Offer | None:
    """The offer in a frame, if it is one for this client and transaction; None for the rest.

    Never raises, whatever the bytes.
    """
    said = dhcp_messages.parse(frame)
    if said is None or said.kind != dhcp_messages.OFFER or said.address is None:
        return None
    if (said.transaction, said.mac) != (transaction, mac.lower()):
        return None
    return Offer(
        said.server,
        said.address,
        said.source,
        netmask=said.address_in(dhcp_messages.MASK),
        router=said.address_in(dhcp_messages.ROUTER),
        lease_s=said.seconds_in(dhcp_messages.LEASE),
    )
