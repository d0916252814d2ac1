"""What is done to containers: found, renamed, stopped, removed, by several at once."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from netaddr import IPAddress

from macvlan_ros.docker_api.plain import PlainClient
from macvlan_ros.engine import Engine
from macvlan_ros.errors import Conflict, ContainerConflict, MacvlanRosError
from macvlan_ros.models.containers import Mount, Volume
from tests.e2e.engines import IMAGE, NAME, await_exit, container_names, create, run
from tests.lab import Host


def test_only_our_containers_are_listed_and_each_stack_by_itself(
    engine: Engine, host: Host
) -> None:
    host.docker("create", "--name", "foreign", IMAGE)
    create(engine)
    create(engine, container_name="other", labels={"macvlan-ros.stack": "robot2"})
    assert [one.name for one in engine.containers()] == ["other", NAME]
    assert [one.name for one in engine.containers(stack="robot")] == [NAME]
    assert engine.containers(stack="rob") == ()


def test_a_container_is_found_by_its_exact_name(engine: Engine, host: Host) -> None:
    identity = create(engine, container_name="robot.talker")
    host.docker("create", "--name", "robotxtalker", IMAGE)
    found = engine.container("robot.talker")
    assert found is not None
    assert found.id == identity
    assert engine.container("robot") is None
    assert engine.container("obot.talker") is None
    assert engine.container(identity[:6]) is None


def test_renaming_keeps_the_container_and_refuses_a_taken_name(engine: Engine) -> None:
    identity = create(engine)
    engine.rename(identity, "robot_old")
    create(engine)
    found = engine.container("robot_old")
    assert found is not None
    assert found.id == identity
    with pytest.raises(ContainerConflict, match=NAME):
        engine.rename(identity, NAME)


def test_stopping_killing_and_removing_twice_is_fine(engine: Engine, host: Host) -> None:
    identity = run(engine)
    with pytest.raises(Conflict):
        engine.remove(identity)
    assert engine.kill(identity) is True
    assert await_exit(engine) == 137
    assert engine.kill(identity) is False
    assert engine.stop(identity, 1) is True
    assert engine.remove(identity) is True
    assert engine.remove(identity) is False
    assert engine.stop(identity) is False
    assert engine.kill(identity) is False
    assert container_names(host) == []


@pytest.mark.alone
def test_a_stop_waits_as_long_as_the_service_says_and_no_longer(engine: Engine) -> None:
    # the shell ignores SIGTERM as process 1
    stubborn = ("sh", "-c", "sleep 60; true")
    identity = run(engine, command=stubborn, stop_grace_period=1.0)
    began = time.monotonic()
    engine.stop(identity)
    assert 0.9 < time.monotonic() - began < 8
    assert await_exit(engine) == 137


def test_two_who_remove_one_container_both_see_it_gone(engine: Engine, host: Host) -> None:
    identity = run(engine)
    ended: list[bool] = []
    threads = [
        threading.Thread(target=lambda: ended.append(engine.remove(identity, force=True)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == 4
    assert container_names(host) == []


def test_removing_with_volumes_leaves_no_anonymous_one(engine: Engine, host: Host) -> None:
    engine.ensure_volume(Volume("bags"), labels={})
    mounts = (Mount("volume", "", "/scratch"), Mount("volume", "bags", "/bags"))
    identity = create(engine, mounts=mounts)
    assert len(host.docker("volume", "ls", "-q").split()) == 2
    engine.remove(identity, volumes=True)
    assert host.docker("volume", "ls", "-q") == "bags"


def test_the_log_is_the_last_lines_of_both_streams(engine: Engine) -> None:
    command = ("sh", "-c", "echo one; echo two; sleep 1; echo grüße >&2; exit 1")
    identity = run(engine, command=command)
    await_exit(engine)
    text = engine.logs(identity, tail=2)
    assert text.splitlines() == ["two", "grüße"]


def test_a_creation_that_is_interrupted_leaves_nothing_behind(
    engine: Engine, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_for_real = PlainClient.create_container

    def interrupted(*args: Any, **options: Any) -> None:
        create_for_real(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(PlainClient, "create_container", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create(engine)
    assert container_names(host) == []


def test_an_interruption_never_removes_somebody_elses_container(
    engine: Engine, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.docker("create", "--name", NAME, IMAGE)

    def interrupted(*_args: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PlainClient, "create_container", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create(engine)
    assert container_names(host) == [NAME]


def test_eight_threads_share_one_engine(engine: Engine) -> None:
    failures: list[BaseException] = []

    def launch(number: int) -> None:
        try:
            name = f"robot_{number}"
            address = IPAddress(f"192.168.50.{200 + number}")
            engine.start(create(engine, container_name=name, address=address, mac=""))
        except MacvlanRosError as error:
            failures.append(error)

    threads = [threading.Thread(target=launch, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    running = {one.name: one.address for one in engine.containers() if one.running}
    assert running == {f"robot_{n}": IPAddress(f"192.168.50.{200 + n}") for n in range(8)}
