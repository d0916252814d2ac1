"""Launching stacks on two PCs with real engines."""

import json
import signal
import subprocess
import sys
import time

import pytest
from ruamel.yaml import YAML

from tests.e2e.conftest import WriteStack
from tests.lab import Host
from tests.lab.host import ROOT

TWO_PCS = """
    x-macvlan-ros:
      range: 192.168.50.192/27
      master: hardware
      hosts: {qtpc: {parent: eth0}, qtrp: {parent: eth0}}
    services:
      core:
        image: ros:lab
        x-macvlan-ros: {host: qtpc, address: 192.168.50.195}
      hardware:
        image: ros:lab
        command: answer 11311 master
        x-macvlan-ros: {host: qtrp, address: 192.168.50.196}
    """
ONE_PC = """
    services:
      talker: {image: "ros:lab"}
      listener: {image: "ros:lab", depends_on: [talker]}
    """


def inspect(host: Host, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(host.docker("inspect", name))[0]
    return found


def environment(host: Host, name: str) -> dict[str, str]:
    text = host.docker("exec", name, "env")
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def launched(host: Host, folder: object, *words: str) -> dict[str, dict[str, str]]:
    done = host.macvlan_ros("launch", "--json", *words, check=True, cwd=str(folder))
    return {one["service"]: one for one in json.loads(done.stdout)}


def held_by_services(host: Host) -> list[dict[str, str]]:
    """The reservations on a host, but for the one of its shim."""
    held: list[dict[str, str]] = json.loads(host.macvlan_ros("list", "--json", check=True).stdout)
    return [one for one in held if not one["owner"].startswith("shim-")]


def state(host: Host) -> tuple[str, str, str, str]:
    """What a failed command must leave as it was."""
    return (
        host.docker("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}"),
        host.docker("network", "ls", "--no-trunc", "-q"),
        host.macvlan_ros("list", "--json").stdout,
        host.macvlan_ros("pool", "list", "--json").stdout,
    )


def test_two_pcs_reach_each_other_by_name_and_address(
    qtpc: Host, qtrp: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(TWO_PCS)
    assert launched(qtpc, folder).keys() == {"core"}
    assert launched(qtrp, folder).keys() == {"hardware"}
    for host, name, other, address in (
        (qtpc, "core", "hardware", "192.168.50.196"),
        (qtrp, "hardware", "core", "192.168.50.195"),
    ):
        host.docker("exec", name, "ping", "-c", "1", "-W", "2", address)
        host.docker("exec", name, "ping", "-c", "1", "-W", "2", other)
    variables = environment(qtpc, "core")
    assert variables["ROS_IP"] == "192.168.50.195"
    assert variables["ROS_MASTER_URI"] == "http://192.168.50.196:11311"
    answer = qtpc.docker("exec", "core", "nc", "-w", "2", "hardware", "11311")
    assert answer == "master"
    assert {one["owner"]: one["host"] for one in held_by_services(qtpc)} == {
        "core": "qtpc",
        "hardware": "qtrp",
    }


def test_the_containers_have_the_reserved_address_and_mac(
    qtpc: Host, write_stack: WriteStack
) -> None:
    done = launched(qtpc, write_stack(ONE_PC))
    for reservation in held_by_services(qtpc):
        link = qtpc.docker("exec", reservation["owner"], "ip", "-o", "addr", "show", "eth0")
        assert f" {reservation['address']}/24 " in link
        mac = qtpc.docker("exec", reservation["owner"], "cat", "/sys/class/net/eth0/address")
        assert mac == reservation["mac"] == done[reservation["owner"]]["mac"]
    qtpc.docker("exec", "talker", "ping", "-c", "1", "-W", "2", "listener")
    qtpc.docker("exec", "listener", "ping", "-c", "1", "-W", "2", "talker")


def test_launching_again_changes_nothing(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(ONE_PC)
    launched(qtpc, folder)
    before = state(qtpc)
    again = launched(qtpc, folder)
    assert {one["action"] for one in again.values()} == {"unchanged"}
    assert state(qtpc) == before


def test_a_changed_service_is_recreated_on_its_address_and_others_are_not(
    qtpc: Host, write_stack: WriteStack
) -> None:
    first = launched(qtpc, write_stack(ONE_PC))
    changed = ONE_PC.replace(
        'listener: {image: "ros:lab"', 'listener: {image: "ros:lab", tty: true'
    )
    second = launched(qtpc, write_stack(changed))
    assert second["talker"]["action"] == "unchanged"
    assert second["listener"]["action"] == "recreated"
    assert second["listener"]["address"] == first["listener"]["address"]
    assert len(qtpc.docker("ps", "-a", "--format", "{{.Names}}").split()) == 2


def test_a_stopped_service_starts_again_and_down_keeps_the_address(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(ONE_PC)
    first = launched(qtpc, folder)
    qtpc.macvlan_ros("stop", "talker", check=True, cwd=folder)
    assert launched(qtpc, folder)["talker"]["action"] == "started"
    qtpc.macvlan_ros("down", check=True, cwd=folder)
    assert qtpc.docker("ps", "-aq") == ""
    assert "ros_lan" not in qtpc.docker("network", "ls")
    again = launched(qtpc, folder)
    assert {n: s["address"] for n, s in again.items()} == {
        n: s["address"] for n, s in first.items()
    }
    qtpc.macvlan_ros("down", "--release", check=True, cwd=folder)
    assert qtpc.macvlan_ros("list", "-q").stdout == ""


def test_ps_shows_every_service_with_its_state(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(TWO_PCS)
    launched(qtpc, folder)
    rows = json.loads(qtpc.macvlan_ros("ps", "--json", check=True, cwd=folder).stdout)
    found = {row["service"]: (row["state"], row["address"], row["host"]) for row in rows}
    assert found == {
        "core": ("running", "192.168.50.195", "qtpc"),
        "hardware": ("elsewhere", "192.168.50.196", "qtrp"),
    }


def test_ros_hostname_is_removed_wherever_it_came_from(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(
        """
        services:
          baked: {image: "ros:stubborn"}
          written: {image: "ros:lab", environment: [ROS_HOSTNAME=robot, ROS_IP=1.2.3.4]}
        """
    )
    done = qtpc.macvlan_ros("launch", check=True, cwd=folder)
    assert done.stderr.count("ROS_HOSTNAME") >= 2
    for name in ("baked", "written"):
        variables = environment(qtpc, name)
        assert "ROS_HOSTNAME" not in variables
        assert variables["ROS_IP"].startswith("192.168.50.")


def test_a_stack_for_host_networking_launches_as_it_stands(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        services:
          core:
            image: ros:lab
            network_mode: host
            environment:
              - ROS_MASTER_URI=$ROS_MASTER_URI
              - ROS_HOSTNAME=$ROS_HOSTNAME
              - ROS_IP=$ROS_IP
        """
    )
    done = qtpc.macvlan_ros("launch", check=True, cwd=folder)
    assert "network_mode" in done.stderr
    variables = environment(qtpc, "core")
    assert variables["ROS_IP"].startswith("192.168.50.")
    assert "ROS_HOSTNAME" not in variables


def test_a_stack_for_a_swarm_overlay_launches_as_it_stands(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        services:
          core:
            image: ros:lab
            environment: {ROS_MASTER_URI: "http://172.18.3.4:11311", ROS_HOSTNAME: core}
            networks: {ros_net: {ipv4_address: 172.18.3.5}}
            ports: ["11312:11312"]
          hardware:
            image: ros:lab
            environment: {ROS_MASTER_URI: "http://172.18.3.4:11311"}
            networks: {ros_net: {ipv4_address: 172.18.3.4}}
        networks:
          ros_net: {driver: overlay, attachable: true, ipam: {config: [{subnet: 172.18.3.0/24}]}}
        """
    )
    done = qtpc.macvlan_ros("launch", check=True, cwd=folder)
    for part in ("overlay", "172.18.3.5", "ports"):
        assert part in done.stderr
    master = environment(qtpc, "hardware")["ROS_IP"]
    assert environment(qtpc, "core")["ROS_MASTER_URI"] == f"http://{master}:11311"


def test_one_service_of_a_stack_knows_where_its_master_will_be(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        services:
          core:
            image: ros:lab
            environment: {ROS_MASTER_URI: "http://172.18.3.4:11311"}
            networks: {ros_net: {ipv4_address: 172.18.3.5}}
          hardware: {image: "ros:lab", networks: {ros_net: {ipv4_address: 172.18.3.4}}}
        networks: {ros_net: {driver: overlay}}
        """
    )
    launched(qtpc, folder, "core")
    uri = environment(qtpc, "core")["ROS_MASTER_URI"]
    assert uri == f"http://{launched(qtpc, folder)['hardware']['address']}:11311"
    assert launched(qtpc, folder)["core"]["action"] == "unchanged"


def test_an_external_overlay_network_is_replaced_too(qtpc: Host, write_stack: WriteStack) -> None:
    qtpc.docker("swarm", "init", "--advertise-addr", qtpc.address)
    try:
        qtpc.docker(
            *("network", "create", "--driver=overlay", "--attachable"),
            *("--subnet", "172.18.3.0/24", "ros_net"),
        )
        folder = write_stack(
            """
            services:
              core: {image: "ros:lab", networks: {ros_net: {ipv4_address: 172.18.3.5}}}
            networks: {ros_net: {external: true}}
            """
        )
        done = qtpc.macvlan_ros("launch", check=True, cwd=folder)
        assert "overlay" in done.stderr
        networks = qtpc.docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", "core")
        assert list(json.loads(networks)) == ["ros_lan"]
    finally:
        qtpc.docker("swarm", "leave", "--force")


def test_an_additional_bridge_stays(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(
        """
        services:
          core: {image: "ros:lab", networks: [ros_lan, database]}
          db: {image: "ros:lab", networks: [database]}
        networks: {ros_lan: {driver: macvlan}, database: {}}
        """
    )
    launched(qtpc, folder)
    networks = qtpc.docker(
        "inspect", "-f", "{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}", "core"
    )
    assert set(networks.split()) == {"ros_lan", "robot_database"}
    qtpc.macvlan_ros("down", check=True, cwd=folder)
    assert "robot_database" not in qtpc.docker("network", "ls")


def test_a_database_stays_off_the_lan(qtpc: Host, write_stack: WriteStack) -> None:
    folder = write_stack(
        """
        networks: {inside: {internal: true}}
        services:
          db: {image: "ros:lab", networks: [inside], x-macvlan-ros: {lan: false}}
          alone: {image: "ros:lab", network_mode: none, x-macvlan-ros: {lan: false}}
          robot: {image: "ros:lab", networks: [default, inside], depends_on: [db]}
        """
    )
    done = qtpc.macvlan_ros("launch", check=True, cwd=folder)
    assert "db: created, off the LAN" in done.stderr
    held = json.loads(qtpc.macvlan_ros("list", "--json", check=True).stdout)
    assert {one["owner"] for one in held} == {"robot", "shim-qtpc"}
    lan = "192.168.50."
    assert lan not in qtpc.docker("exec", "db", "ip", "-o", "-4", "addr")
    assert qtpc.docker("exec", "alone", "ip", "-o", "link").count("link/") == 1
    assert lan in qtpc.docker("exec", "robot", "ip", "-o", "-4", "addr")
    qtpc.docker("exec", "robot", "ping", "-c", "1", "-W", "5", "db")
    again = json.loads(qtpc.macvlan_ros("launch", "--json", check=True, cwd=folder).stdout)
    assert {(one["service"], one["action"]) for one in again} == {
        (name, "unchanged") for name in ("db", "alone", "robot")
    }
    assert {one["service"] for one in again if one["address"] is None} == {"db", "alone"}
    for words in (("ps",), ("status",), ("verify",), ("restart",), ("map", "-o", "-")):
        shown = qtpc.macvlan_ros(*words, cwd=folder)
        assert shown.returncode == 0, (words, shown.stdout, shown.stderr)
    override = qtpc.macvlan_ros("compose", "config", check=True, cwd=folder).stdout
    services = YAML().load(override)["services"]
    assert set(services["db"]) == {"container_name", "labels"}  # as launch made it
    assert "networks" in services["robot"]
    qtpc.macvlan_ros("down", "--release", check=True, cwd=folder)
    assert not qtpc.docker("ps", "-aq")
    assert "robot_inside" not in qtpc.docker("network", "ls")


def test_a_service_waits_until_what_it_depends_on_is_healthy(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(
        """
        services:
          master:
            image: ros:lab
            command: sh -c "trap exit TERM; sleep 1; touch /tmp/ready; sleep 999 & wait"
            healthcheck: {test: test -e /tmp/ready, interval: 0.3s, retries: 30}
          node:
            image: ros:lab
            depends_on:
              master: {condition: service_healthy}
              once: {condition: service_completed_successfully}
          once: {image: "ros:lab", command: "true"}
        """
    )
    launched(qtpc, folder)
    started = {
        name: qtpc.docker("inspect", "-f", "{{.State.StartedAt}}", name)
        for name in ("master", "node")
    }
    assert started["master"] < started["node"]
    assert qtpc.docker("inspect", "-f", "{{.State.Health.Status}}", "master") == "healthy"


def test_one_failure_undoes_this_launch_and_what_ran_before_runs(
    qtpc: Host, write_stack: WriteStack
) -> None:
    launched(qtpc, write_stack(ONE_PC))
    before = state(qtpc)
    broken = ONE_PC.replace('talker: {image: "ros:lab"}', 'talker: {image: "ros:lab", tty: true}')
    broken = (
        broken.rstrip()
        + '\n      third: {image: "ros:lab", depends_on: [listener], command: /no/such/program}\n'
    )
    failed = qtpc.macvlan_ros("launch", cwd=write_stack(broken))
    assert failed.returncode == 2
    assert "third did not start" in failed.stderr
    assert "/no/such/program" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert state(qtpc) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_launch_leaves_nothing_behind(
    qtpc: Host, write_stack: WriteStack, number: signal.Signals
) -> None:
    folder = write_stack(
        """
        services:
          first: {image: "ros:lab", healthcheck: {test: "false", interval: 1s, retries: 500}}
          second: {image: "ros:lab", depends_on: {first: {condition: service_healthy}}}
        """
    )
    before = state(qtpc)
    process = qtpc.popen(*qtpc.macvlan_ros_command("launch"), cwd=folder, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("second: waits"):
            break
    time.sleep(0.3)
    process.send_signal(number)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130, "".join(said) + rest
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert state(qtpc) == before


def test_a_launch_killed_half_way_is_finished_by_the_next(
    qtpc: Host, write_stack: WriteStack
) -> None:
    first = launched(qtpc, write_stack(ONE_PC))
    # as a launch that was killed between renaming the old container and creating the new one
    qtpc.docker("stop", "talker")
    qtpc.docker("rename", "talker", "talker.replaced")
    again = launched(qtpc, write_stack(ONE_PC))
    assert again["talker"]["address"] == first["talker"]["address"]
    names = qtpc.docker("ps", "--format", "{{.Names}}").split()
    assert sorted(names) == ["listener", "talker"]


def test_a_launch_killed_while_it_replaced_is_finished_by_the_next(
    qtpc: Host, write_stack: WriteStack
) -> None:
    first = launched(qtpc, write_stack(ONE_PC))
    # as a launch that was killed before it removed what it had replaced; and then an edit
    qtpc.docker("create", "--name", "talker.replaced", "ros:lab")
    changed = ONE_PC.replace('talker: {image: "ros:lab"}', 'talker: {image: "ros:lab", tty: true}')
    again = launched(qtpc, write_stack(changed))
    assert again["talker"]["action"] == "recreated"
    assert again["talker"]["address"] == first["talker"]["address"]
    names = qtpc.docker("ps", "-a", "--format", "{{.Names}}").split()
    assert sorted(names) == ["listener", "talker"]


def reached(host: Host, folder: object) -> dict[str, object]:
    done = host.macvlan_ros("ps", "--json", check=True, cwd=str(folder))
    return {one["service"]: one["reached"] for one in json.loads(done.stdout)}


def test_ps_tells_who_answers_this_pc(qtpc: Host, qtrp: Host, write_stack: WriteStack) -> None:
    folder = write_stack(TWO_PCS)
    launched(qtpc, folder)
    assert reached(qtpc, folder) == {"core": True, "hardware": False}
    launched(qtrp, folder)
    assert reached(qtpc, folder) == {"core": True, "hardware": True}
    qtpc.macvlan_ros("stop", check=True, cwd=str(folder))
    assert reached(qtpc, folder) == {"core": None, "hardware": True}


def test_without_a_shim_ps_says_that_the_pc_is_not_answered(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(ONE_PC)
    launched(qtpc, folder, "--no-shim", "talker")
    assert reached(qtpc, folder) == {"talker": False, "listener": None}


def test_verbose_tells_what_is_asked_and_what_an_error_came_of(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(ONE_PC)
    done = qtpc.macvlan_ros("launch", "--verbose", "talker", check=True, cwd=str(folder))
    assert "asked on eth0 for" in done.stderr
    assert "GET /images/" in done.stderr
    assert "pyroute2" not in done.stderr
    away = qtpc.macvlan_ros("network", "list", "--verbose", "--docker", "unix:///no/such")
    assert "because of" in away.stderr
    assert "Traceback" not in away.stderr


def test_where_the_shim_stands_no_command_about_a_stack_loads_a_dear_library(
    qtpc: Host, write_stack: WriteStack
) -> None:
    folder = write_stack(ONE_PC)
    launched(qtpc, folder)
    qtpc.docker("rm", "-f", "talker")
    for words in (("launch",), ("ps",), ("status",), ("doctor",), ("stop",)):
        python = (sys.executable, "-X", "importtime", "-m", "macvlan_ros")
        env = {"PYTHONPATH": str(ROOT)}
        done = qtpc.run(*python, *words, env=env, cwd=str(folder), check=False)
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "macvlan_ros.docker_api.plain" in loaded, words
        assert not {"docker", "requests", "asyncio"} & loaded, words
