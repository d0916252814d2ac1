"""Traffic: real messages through real topics, both ways.

At each place here stands a small node of our own; all publish one topic and subscribe to it, by way
of the real master. Each of them also speaks on /rosout: the node of that name, which is where the
master is, says it again on /rosout_agg, so a message comes back from a node of ROS's own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial

from macvlan_ros.values import dataclass
from macvlan_ros.verify import resolving, rpc, tcpros
from macvlan_ros.verify.check import BAD, OK, Check
from macvlan_ros.verify.converse import Call, converse
from macvlan_ros.verify.graph import Master
from macvlan_ros.verify.place import Vantage
from macvlan_ros.verify.ros_node import RosNode, wait_until_heard
from macvlan_ros.verify.tcpros import Topic

_SECONDS = 5.0
_ROSOUT = tcpros.log_topic("/rosout")
_AGAIN = tcpros.log_topic("/rosout_agg")


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Our node at one place, and the words that only it says."""

    node: RosNode
    token: bytes


def send(vantages: Sequence[Vantage], master: Master, *, until: float) -> list[Check]:
    """A check for each pair of places, and for each place with /rosout. Takes 5 s at most, and
    leaves nothing registered."""
    end = min(until, time.monotonic() + _SECONDS)
    topic = tcpros.string_topic(f"/macvlan_ros_verify_{secrets.token_hex(4)}")
    with ExitStack() as undo:
        speakers, checks = _speakers(vantages, topic, undo)
        registration = partial(_register, speakers, master, topic)
        undo.callback(registration, leave=True, until=end + 2)
        problem = registration(leave=False, until=end)
        if problem:
            said = f"the master does not take registrations: {problem}"
            checks.append(
                Check("traffic", master.source.name, master.uri.text, BAD, said, "restart roscore")
            )
            return checks
        began = time.monotonic()
        rosout = _connect(speakers, master, topic, until=end)
        checks += _judge(speakers, rosout=rosout, began=began, until=end)
    return checks


def _speakers(
    vantages: Sequence[Vantage], topic: Topic, undo: ExitStack
) -> tuple[list[_Speaker], list[Check]]:
    found, troubles = [], []
    for one in vantages:
        token = secrets.token_hex(8)
        name = f"/macvlan_ros_verify_{token}"
        text = f"macvlan-ros verify: {token} from {one.name}"
        outgoing = {
            topic: tcpros.string_message(text),
            _ROSOUT: tcpros.log_message(name, text),
        }
        try:
            node = RosNode(one, name, outgoing)
        except OSError as error:
            said = f"no node can listen there: {error.strerror}"
            troubles.append(Check("traffic", one.name, one.name, BAD, said, "launch it again"))
            continue
        undo.callback(node.close)
        found.append(_Speaker(node, token.encode()))
    return found, troubles


def _register(
    speakers: Sequence[_Speaker], master: Master, topic: Topic, *, leave: bool, until: float
) -> str:
    """Tell the master of all our topics, or that they are gone; what it objects, "" for nothing."""
    calls = []
    for one in speakers:
        for verb, each in (
            ("Publisher", topic),
            ("Publisher", _ROSOUT),
            ("Subscriber", topic),
            ("Subscriber", _AGAIN),
        ):
            words = (each.name, one.node.uri) if leave else (each.name, each.kind, one.node.uri)
            method = f"{'unregister' if leave else 'register'}{verb}"
            request = rpc.question(master.uri, method, *words, caller=one.node.name)
            calls.append(Call(master.source, master.address, master.uri.port, request))
    replies = converse(calls, patience=3.0, until=until, is_whole=rpc.is_whole)
    answers = [rpc.read(reply) for reply in replies]
    return next((rpc.why(answer) for answer in answers if answer.problem), "")


def _connect(speakers: Sequence[_Speaker], master: Master, topic: Topic, *, until: float) -> bool:
    """Let each node hear all others, and whoever publishes /rosout_agg; whether anybody does."""
    agents = _publishers(master, until)
    with ThreadPoolExecutor(max(1, min(16, len(speakers)))) as side_by_side:
        for one in speakers:
            others = [(topic, other.node.uri) for other in speakers if other is not one]
            wanted = [*others, *((_AGAIN, uri) for uri in agents)]
            side_by_side.submit(_hear, one.node, wanted, until)
    return bool(agents)


def _publishers(master: Master, until: float) -> list[str]:
    """The URIs of the nodes that publish /rosout_agg."""
    (state,) = master.ask([("getSystemState", ())], until=until)
    names = []
    with suppress(TypeError, ValueError, IndexError):
        names = [
            str(node) for name, nodes in state.value[0] if name == _AGAIN.name for node in nodes
        ]
    answers = master.ask([("lookupNode", (name,)) for name in names], until=until)
    return [one.value for one in answers if not one.problem and isinstance(one.value, str)]


def _hear(node: RosNode, wanted: Sequence[tuple[Topic, str]], until: float) -> None:
    """Ask each publisher for its port, and connect to it, as a subscriber does."""
    uris = [(topic, rpc.parse_uri(text)) for topic, text in wanted]
    hosts = {uri.host for _, uri in uris if not uri.problem}
    meanings = _meanings(node, hosts, until)
    known = [(topic, uri, meanings[uri.host][0]) for topic, uri in uris if meanings.get(uri.host)]
    calls = [
        Call(
            node.vantage,
            str(address),
            uri.port,
            rpc.question(uri, "requestTopic", topic.name, [["TCPROS"]], caller=node.name),
        )
        for topic, uri, address in known
    ]
    replies = converse(calls, patience=3.0, until=until, is_whole=rpc.is_whole)
    for (topic, _, _), reply in zip(known, replies, strict=True):
        answer = rpc.read(reply)
        if not answer.problem and isinstance(answer.value, list) and len(answer.value) == 3:
            _, host, port = answer.value
            found = _meanings(node, {str(host)}, until)[str(host)]
            if found and isinstance(port, int):
                with suppress(OSError, OverflowError):  # then nothing is heard
                    node.hear(topic, str(found[0]), port)


def _meanings(node: RosNode, hosts: Collection[str], until: float) -> resolving.Meanings:
    return resolving.everywhere([node.vantage], hosts, until=until)[node.vantage.name]


def _judge(
    speakers: Sequence[_Speaker], *, rosout: bool, began: float, until: float
) -> Iterator[Check]:
    """`rosout` is whether there is a node of that name."""
    pairs = [(a, b) for a in speakers for b in speakers if a is not b]
    asked = [(to.node, said.token) for said, to in pairs]
    own = speakers if rosout else ()
    asked += [(one.node, one.token) for one in own]
    heard = wait_until_heard(asked, until=until)
    took = round((time.monotonic() - began) * 1000, 2)
    remedy = "look at the rows of kind tcp, name and node above"
    for (said, to), came in zip(pairs, heard, strict=False):
        about = partial(Check, "traffic", said.node.vantage.name, to.node.vantage.name)
        yield about(OK, "a message came") if came else about(BAD, "no message came", remedy)
    for one, came in zip(own, heard[len(pairs) :], strict=True):
        about = partial(Check, "traffic", one.node.vantage.name, "/rosout")
        text = "a message went there and came back" if came else "no message came back"
        yield about(OK, text, milliseconds=took) if came else about(BAD, text, remedy)
