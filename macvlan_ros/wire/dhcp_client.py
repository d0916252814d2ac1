"""A DHCP client for others: takes, renews and releases leases under the MACs of containers.

It speaks for containers that may not run yet, and whose address this host must not have. So it
never gives an address as its own (ciaddr) in a question, for servers answer there, and the answer
would go to the container: a lease is renewed by asking for it anew, which servers take for the
same client, by its identifier (RFC 2131, section 4.3.2: SELECTING towards one server,
INIT-REBOOT towards all).
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from netaddr import IPAddress

from macvlan_ros.closing import Closing
from macvlan_ros.values import dataclass
from macvlan_ros.wire import bpf, dhcp_messages, frames
from macvlan_ros.wire.dhcp_messages import Message
from macvlan_ros.wire.packet_port import Port

__all__ = ["Client", "Given", "Refused", "Want"]

#: Seconds without any progress after which a server is taken for absent. dnsmasq pings each
#: address for three before it offers it, and answers nobody else meanwhile.
PATIENCE = 10.0
_ASK_EVERY = 1.0
# Seconds that an offer of another address waits for another server's better one.
_GRACE = 0.5
_FOREVER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Want:
    """A lease that is wanted: this address for this client.

    `client` identifies it and `name` is its host's name. With `server` that server alone is asked
    (None: any).
    """

    address: IPAddress
    mac: str
    client: str
    name: str
    server: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """The server gave what was wanted. `via` is the MAC that its answer came from.

    `seconds` is for how long, None for ever; `renew` and `rebind` are counted from the start.
    """

    server: IPAddress
    via: str
    seconds: int | None
    renew: float
    rebind: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The server offers another address (`instead`), or none at all; `text` is what it said."""

    server: IPAddress
    instead: IPAddress | None = None
    text: str = ""


#: None: nobody answered.
Outcome = Given | Refused | None
#: Hears of a server that is about to be asked for good, with its MAC.
Told = Callable[[Want, IPAddress, str], None]


@dataclasses.dataclass(slots=True)
class _Talk:
    """One lease being taken. `server` is set once it is asked for, not only sought."""

    want: Want
    transaction: int
    kind: int
    server: IPAddress | None = None
    due: float = 0.0
    second_best: tuple[float, Message] | None = None
    outcome: Outcome = None
    ended: bool = False
    insist: bool = False


class Client(Closing):
    """Talks through one interface; a context manager, for one thread.

    Takes CAP_NET_RAW. Raises Forbidden, ParentNotFound, BadParent, KernelRefused.
    """

    def __init__(
        self, interface: str, *, namespace: Path | None = None, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._port = Port(interface, frames.ETH_IPV4, namespace=namespace)
        self._port.filter(bpf.udp_to(dhcp_messages.CLIENT_PORT))

    def close(self) -> None:
        """Give the packet socket back. Closing twice is fine."""
        self._port.close()

    def take(
        self, wants: Sequence[Want], *, told: Told, insist: bool = False
    ) -> Mapping[Want, Outcome]:
        """Take all leases side by side: DISCOVER, OFFER, REQUEST, ACK.

        An offer of another address than the wanted one is not taken; with `insist` the wanted one
        is requested all the same. A server that pings an address before it offers it does not
        offer that of a container which runs. `told` is called before a server is asked for good,
        so that no lease can be had that nobody knows of.
        """
        talks = [self._begin(want, dhcp_messages.DISCOVER) for want in wants]
        for talk in talks:
            talk.insist = insist
        return self._talk(talks, told)

    def renew(self, wants: Sequence[Want]) -> Mapping[Want, Outcome]:
        """Ask anew for leases that are held: of their servers, or of any server."""
        return self._talk([self._begin(want, dhcp_messages.REQUEST) for want in wants], _nobody)

    def release(self, want: Want, via: str) -> None:
        """Give the lease back. No server answers to that (RFC 2131, section 4.4.6)."""
        assert want.server is not None
        self._port.send(
            dhcp_messages.build(
                dhcp_messages.RELEASE,
                transaction=random.getrandbits(32),
                mac=want.mac,
                source=self._port.mac,
                options=[_client(want), (dhcp_messages.SERVER, want.server.packed)],
                current=want.address,
                to=(via, want.server),
            )
        )

    def _begin(self, want: Want, kind: int) -> _Talk:
        return _Talk(want, random.getrandbits(32), kind, server=want.server)

    def _talk(self, talks: Sequence[_Talk], told: Told) -> dict[Want, Outcome]:
        by_transaction = {talk.transaction: talk for talk in talks}
        end = time.monotonic() + self._patience
        while (now := time.monotonic()) < end:
            open_talks = [talk for talk in talks if not talk.ended]
            if not open_talks:
                break
            for talk in open_talks:
                self._press(talk, now, told)
            next_due = min((talk.due for talk in open_talks if not talk.ended), default=now)
            for frame in self._port.receive(max(0.0, min(end, next_due) - now)):
                said = dhcp_messages.parse(frame)
                heard = by_transaction.get(said.transaction) if said else None
                if said and heard and said.mac == heard.want.mac and _hear(heard, said, told):
                    end = time.monotonic() + self._patience
        return {talk.want: talk.outcome for talk in talks}

    def _press(self, talk: _Talk, now: float, told: Told) -> None:
        """Ask, or ask again, if it is time; settle for the second best if nothing better came."""
        best = talk.second_best
        if best is not None and now >= best[0] and talk.kind == dhcp_messages.DISCOVER:
            if not talk.insist:
                talk.outcome, talk.ended = Refused(best[1].server, best[1].address), True
                return
            _request(talk, best[1], told)
        if now >= talk.due:
            self._port.send(self._question(talk))
            talk.due = now + _ASK_EVERY
        if best is not None and talk.kind == dhcp_messages.DISCOVER:
            talk.due = min(talk.due, best[0])

    def _question(self, talk: _Talk) -> bytes:
        want = talk.want
        options = [_client(want), (dhcp_messages.WANTED_ADDRESS, want.address.packed)]
        if talk.kind == dhcp_messages.REQUEST and talk.server is not None:
            options.append((dhcp_messages.SERVER, talk.server.packed))
        options.append((dhcp_messages.HOST_NAME, want.name.encode()))
        options.append((dhcp_messages.WANTED, dhcp_messages.ASKED))
        return dhcp_messages.build(
            talk.kind,
            transaction=talk.transaction,
            mac=want.mac,
            source=self._port.mac,
            options=options,
        )


def _hear(talk: _Talk, said: Message, told: Told) -> bool:
    """Whether the answer brings the talk on."""
    if talk.ended:
        return False
    if talk.kind == dhcp_messages.DISCOVER:
        return said.kind == dhcp_messages.OFFER and _hear_offer(talk, said, told)
    if talk.server is not None and said.server != talk.server:
        return False
    if said.kind == dhcp_messages.NAK:
        instead = talk.second_best[1].address if talk.second_best else None
        talk.outcome, talk.ended = Refused(said.server, instead, said.text), True
    elif said.kind == dhcp_messages.ACK and said.address is not None:
        good = said.address == talk.want.address
        talk.outcome = _given(said) if good else Refused(said.server, said.address)
        talk.ended = True
    return talk.ended


def _hear_offer(talk: _Talk, said: Message, told: Told) -> bool:
    if talk.want.server not in (None, said.server):
        return False
    if said.address != talk.want.address:
        first = talk.second_best is None and said.address is not None
        if first:
            talk.second_best = (time.monotonic() + _GRACE, said)
            talk.due = min(talk.due, talk.second_best[0])
        return first
    talk.second_best = None
    _request(talk, said, told)
    return True


def _request(talk: _Talk, said: Message, told: Told) -> None:
    """From now on ask the server of that offer for good."""
    told(talk.want, said.server, said.source)
    talk.server, talk.kind, talk.due = said.server, dhcp_messages.REQUEST, 0.0


def _given(said: Message) -> Given:
    seconds = said.seconds_in(dhcp_messages.LEASE)
    if seconds in (None, 0, _FOREVER):
        return Given(said.server, said.source, None, 0.0, 0.0)
    assert seconds is not None
    rebind = said.seconds_in(dhcp_messages.T2)
    rebind_at = rebind if rebind is not None and 0 < rebind < seconds else seconds * 0.875
    renew = said.seconds_in(dhcp_messages.T1)
    renew_at = renew if renew is not None and 0 < renew < rebind_at else seconds * 0.5
    return Given(said.server, said.source, seconds, min(renew_at, rebind_at), rebind_at)


def _client(want: Want) -> tuple[int, bytes]:
    # type 0: not a hardware address (RFC 2132, section 9.14)
    return dhcp_messages.CLIENT_ID, b"\x00" + want.client.encode()


def _nobody(_want: Want, _server: IPAddress, _via: str) -> None:
    return None
