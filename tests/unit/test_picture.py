"""The picture: what is known becomes a scene, an SVG, a page, and a server that only shows."""

from __future__ import annotations

import http.client
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from netaddr import IPAddress, IPNetwork

from macvlan_ros.errors import InvalidRequest, KernelRefused, Unavailable
from macvlan_ros.models.pools import NETWORK, Reservation
from macvlan_ros.picture import live, page, svg
from macvlan_ros.picture.scene import DOWN, UNKNOWN, UP, Graph, Known, Pc, Scene, compose
from macvlan_ros.wire.census import Sighting

SVG = "{http://www.w3.org/2000/svg}"


def held(owner: str, last: int, host: str, kind: str = "static") -> Reservation:
    address = IPAddress(f"192.168.50.{last}")
    return Reservation("lab", address, owner, f"02:00:00:00:00:{last:02x}", host, kind=kind)


def sighting(last: int, mac: str, whose: str, trouble: str = "") -> Sighting:
    return Sighting(IPAddress(f"192.168.50.{last}"), mac, "", 0.5, whose, "", "", trouble)


CORE, HARDWARE = held("harmoni_core", 195, "qtpc"), held("harmoni_hardware", 196, "qtrp")
KNOWN = Known(
    here="qtpc",
    lan=IPNetwork("192.168.50.0/24"),
    taken="2026-11-22T10:00:00Z",
    pcs=[Pc("qtpc", here=True, parent="eth0", address="192.168.50.11"), Pc("qtrp")],
    reservations=[
        CORE,
        HARDWARE,
        held("gateway", 1, "qtpc", NETWORK),
        held("shim-qtpc", 201, "qtpc"),
    ],
    running={CORE.mac},
    sightings=[
        sighting(196, HARDWARE.mac, "ours"),
        sighting(1, "52:54:00:00:00:01", "gateway"),
        sighting(200, "52:54:00:00:00:02", "stranger", "holds an address of the pool"),
    ],
    graph=Graph(
        {
            "/chatter": ({"/talker"}, {"/listener"}),
            "/rosout": ({"/talker", "/listener"}, {"/rosout"}),
        },
        {"/talker": CORE.address, "/listener": HARDWARE.address, "/rosout": HARDWARE.address},
    ),
    master=HARDWARE.address,
)


def test_each_container_stands_on_its_pc_and_what_is_none_does_not() -> None:
    scene = compose(KNOWN)
    assert [(pc.name, [box.name for box in pc.boxes]) for pc in scene.pcs] == [
        ("qtpc", ["harmoni_core"]),
        ("qtrp", ["harmoni_hardware"]),
    ]
    (hardware,) = scene.pcs[1].boxes
    assert hardware.master
    assert hardware.nodes == ("/listener", "/rosout")


def test_who_talks_to_whom_leaves_out_what_all_nodes_do() -> None:
    (talk,) = compose(KNOWN).talks
    assert (talk.source, talk.target, talk.topics) == (
        "harmoni_core",
        "harmoni_hardware",
        ("/chatter",),
    )


def test_strangers_come_first_and_are_troubles() -> None:
    scene = compose(KNOWN)
    assert [other.address for other in scene.others] == ["192.168.50.200", "192.168.50.1"]
    assert scene.troubles == ("192.168.50.200 (52:54:00:00:00:02) holds an address of the pool",)


def states(known: Known) -> dict[str, str]:
    return {box.name: box.state for pc in compose(known).pcs for box in pc.boxes}


def test_without_a_look_at_the_lan_the_other_pcs_containers_are_unknown() -> None:
    assert states(KNOWN) == {"harmoni_core": UP, "harmoni_hardware": UP}
    assert states(replace(KNOWN, sightings=[])) == {"harmoni_core": UP, "harmoni_hardware": DOWN}
    blind = replace(KNOWN, sightings=None, running=set())
    assert states(blind) == {"harmoni_core": DOWN, "harmoni_hardware": UNKNOWN}


def test_what_has_stopped_since_the_last_look_at_the_lan_is_down_and_so_is_what_is_defended() -> (
    None
):
    of_before = replace(sighting(195, CORE.mac, "ours"), latency_ms=None)
    defended = replace(sighting(196, HARDWARE.mac, "ours"), defended_by="02:00:00:00:00:07")
    known = replace(KNOWN, running=set(), sightings=[of_before, defended])
    assert states(known) == {"harmoni_core": DOWN, "harmoni_hardware": DOWN}


def test_a_stranger_that_was_heard_makes_its_box_a_trouble() -> None:
    scene = compose(replace(KNOWN, conflicts={CORE.address: "52:54:00:00:00:09"}))
    assert scene.troubles[0].startswith("harmoni_core (192.168.50.195): 52:54:00:00:00:09 was")
    bad = [
        g for g in ET.fromstring(svg.render(scene)).iter(f"{SVG}g") if "bad" in g.get("class", "")
    ]
    assert len(bad) == 2


def test_a_stranger_that_answers_is_named_in_the_box_whose_address_it_has() -> None:
    seen = [
        sighting(195, CORE.mac, "ours", "another machine answers for this address too"),
        sighting(195, "02:00:00:00:00:09", "stranger", "holds the address of 'harmoni_core'"),
    ]
    (box,) = compose(replace(KNOWN, sightings=seen)).pcs[0].boxes
    assert (box.state, box.trouble) == (UP, "02:00:00:00:00:09 has its address, too")


def drawn_text(scene: Scene) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg.render(scene)).iter(f"{SVG}text")]


def test_a_pc_that_looks_may_be_the_master_and_may_have_no_container() -> None:
    master = IPAddress("192.168.50.11")
    assert {"this PC", "ROS master"} <= set(drawn_text(compose(replace(KNOWN, master=master))))
    assert "no container" in drawn_text(compose(replace(KNOWN, reservations=[])))


def test_ipv6_addresses_and_long_notes_stay_within_the_picture() -> None:
    address = IPAddress("2001:db8:1234:5678:5054:c0ff:fea8:320b")
    held = Reservation("lab6", address, "talker", CORE.mac, "qtpc")
    note = "the ROS master was not read, " * 20
    drawn = ET.fromstring(svg.render(compose(replace(KNOWN, reservations=[held], notes=[note]))))
    (box,) = (g for g in drawn.iter(f"{SVG}g") if "box" in g.get("class", ""))
    rect = box.find(f"{SVG}rect")
    assert rect is not None
    assert len(str(address)) * 7 < int(rect.get("width", 0))
    notes = [each for each in drawn.iter(f"{SVG}text") if "not read" in (each.text or "")]
    assert len(notes) > 1
    assert all(len(each.text or "") * 6 < int(drawn.get("width", 0)) for each in notes)


def test_labels_of_arrows_never_overlap_and_arrows_without_one_have_a_title() -> None:
    many = [held(f"n{i}", i, f"pc{i % 2}") for i in range(2, 40)]
    nodes = {f"/n{i}": IPAddress(f"192.168.50.{i}") for i in range(2, 40)}
    topics = {
        f"/topic_{i}": ({f"/n{i}"}, {f"/n{j}" for j in range(2, 40, 7)}) for i in range(2, 40)
    }
    scene = compose(replace(KNOWN, reservations=many, graph=Graph(topics, nodes)))
    talks = [
        g for g in ET.fromstring(svg.render(scene)).iter(f"{SVG}g") if g.get("class") == "talk"
    ]
    assert len(talks) == len(scene.talks)
    assert all(talk.find(f"{SVG}title") is not None for talk in talks)
    places = [
        (int(text.get("x", 0)), int(text.get("y", 0)), len(text.text or "") * 6)
        for talk in talks
        for text in talk.iter(f"{SVG}text")
    ]
    assert len(places) > 10
    for i, (x, y, width) in enumerate(places):
        for x2, y2, width2 in places[:i]:
            assert abs(x - x2) >= (width + width2) // 2 or abs(y - y2) >= 11


NASTY = '<script>alert("&")</script>'


def test_names_of_nodes_cannot_break_out_of_the_picture() -> None:
    graph = Graph({NASTY: ({NASTY}, {"/b"})}, {NASTY: CORE.address, "/b": HARDWARE.address})
    scene = compose(replace(KNOWN, graph=graph, notes=[NASTY]))
    drawn = ET.fromstring(svg.render(scene))
    assert not list(drawn.iter(f"{SVG}script"))
    assert any(text.text == NASTY for text in drawn.iter(f"{SVG}text")) or NASTY[:17] in "".join(
        drawn.itertext()
    )
    assert "<script" not in page.render(scene)
    assert page.render(scene, nonce="n1").count("<script") == 1


def test_an_empty_lan_and_a_crowded_one_are_drawn() -> None:
    empty = compose(replace(KNOWN, pcs=[], reservations=[], sightings=[], graph=Graph()))
    ET.fromstring(svg.render(empty))
    many = [held(f"n{i}", i, f"pc{i % 9}") for i in range(2, 250)]
    crowd = [sighting(i, "52:54:00:00:00:03", "elsewhere") for i in range(2, 250)]
    drawn = svg.render(compose(replace(KNOWN, reservations=many, sightings=crowd)))
    ET.fromstring(drawn)
    assert "and 227 machines more" in drawn


def test_boxes_never_overlap() -> None:
    many = [held(f"n{i}", i, f"pc{i % 5}") for i in range(2, 40)]
    drawn = ET.fromstring(svg.render(compose(replace(KNOWN, reservations=many))))
    boxes = [
        [float(rect.get(side, 0)) for side in ("x", "y", "width", "height")]
        for group in drawn.iter(f"{SVG}g")
        if "box" in group.get("class", "")
        for rect in group.iter(f"{SVG}rect")
    ]
    assert len(boxes) == 38
    for i, (x, y, width, height) in enumerate(boxes):
        for x2, y2, width2, height2 in boxes[:i]:
            apart = x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
            assert apart


# -- live ---------------------------------------------------------------------------------------


@contextmanager
def serving(scene: Scene | Exception) -> Iterator[tuple[str, int]]:
    def look() -> Scene:
        if isinstance(scene, Exception):
            raise scene
        return scene

    with live.open_server("127.0.0.1", 0, look) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield "127.0.0.1", server.server_address[1]
        finally:
            server.shutdown()
            thread.join(5)


def ask(
    where: tuple[str, int], path: str, method: str = "GET", host: str = ""
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(*where, timeout=5)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def test_the_server_shows_the_page_the_scene_and_the_svg() -> None:
    with serving(compose(KNOWN)) as where:
        code, headers, text = ask(where, "/")
        assert (code, "harmoni_core" in text) == (200, True)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert ask(where, "/scene")[2] == page.body(compose(KNOWN))
        assert ask(where, "/map.svg")[1]["Content-Type"].startswith("image/svg+xml")
        assert ask(where, "/", "HEAD")[2] == ""
        assert ask(where, "/etc/passwd")[0] == 404


def test_the_server_changes_nothing_and_answers_to_its_own_name_alone() -> None:
    with serving(compose(KNOWN)) as where:
        assert ask(where, "/", "POST")[0] == 501
        assert ask(where, "/", "DELETE")[0] == 501
        assert ask(where, "/", host="evil.example")[0] == 421
        assert ask(where, "/", host=f"localhost:{where[1]}")[0] == 200


def test_a_store_that_is_away_is_said_in_the_browser() -> None:
    with serving(Unavailable("etcd does not answer; start it")) as where:
        code, _, text = ask(where, "/")
        assert (code, text) == (503, "etcd does not answer; start it\n")


def test_a_port_that_is_taken_is_said() -> None:
    with serving(compose(KNOWN)) as (host, port), pytest.raises(KernelRefused, match="--serve"):
        live.open_server(host, port, lambda: compose(KNOWN))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ("127.0.0.1", 8311)),
        ("9000", ("127.0.0.1", 9000)),
        ("0.0.0.0", ("0.0.0.0", 8311)),
        ("192.168.50.11:80", ("192.168.50.11", 80)),
        ("::1", ("::1", 8311)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_where_to_listen(text: str, wanted: tuple[str, int]) -> None:
    assert live.parse_listen(text) == wanted


@pytest.mark.parametrize("text", ["eth0", "99999", "1.2.3.4:x", "1.2.3.4:99999"])
def test_where_one_cannot_listen(text: str) -> None:
    with pytest.raises(InvalidRequest, match="--serve"):
        live.parse_listen(text)
