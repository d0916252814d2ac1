"""A service's keys: what each form of each of them becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from macvlan_ros.docker_cli.building import arguments
from macvlan_ros.models.containers import (
    Build,
    Dependency,
    Device,
    DeviceRequest,
    Healthcheck,
    Mount,
    Service,
    Ulimit,
)
from tests.unit.stack_text import error_of, load_service, load_text

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("keys", "field", "wanted"),
    [
        # names
        ("hostname: robot", "hostname", "robot"),
        ("hostname: 0123", "hostname", "0123"),
        ("domainname: lan.local", "domainname", "lan.local"),
        ("container_name: my_talker", "container_name", "my_talker"),
        ("", "container_name", "talker"),
        ("platform: linux/arm64", "platform", "linux/arm64"),
        ("runtime: nvidia", "runtime", "nvidia"),
        # commands
        ("command: roslaunch a b.launch", "command", ("roslaunch", "a", "b.launch")),
        ("command: bash -c 'echo \"a b\"'", "command", ("bash", "-c", 'echo "a b"')),
        ("command: [bash, -c, echo a b]", "command", ("bash", "-c", "echo a b")),
        ("command: [sleep, 5]", "command", ("sleep", "5")),
        ("command: []", "command", ()),
        ("command: ''", "command", ()),
        ("command:", "command", None),
        ("command: null", "command", None),
        ("command: >-\n  roslaunch a\n  b:=c", "command", ("roslaunch", "a", "b:=c")),
        ("command: 'echo $$HOME'", "command", ("echo", "$HOME")),
        ("entrypoint: /ros_entrypoint.sh", "entrypoint", ("/ros_entrypoint.sh",)),
        ("entrypoint: ['/a b']", "entrypoint", ("/a b",)),
        ("entrypoint: []", "entrypoint", ()),
        # yes and no
        ("init: true", "init", True),
        ("init: false", "init", False),
        ("", "init", None),
        ("tty: yes", "tty", True),
        ("stdin_open: 'true'", "stdin_open", True),
        ("privileged: on", "privileged", True),
        ("privileged: $PRIVILEGED", "privileged", True),
        ("read_only: false", "read_only", False),
        # whom and where
        ("user: 1000", "user", "1000"),
        ("user: '1000:1000'", "user", "1000:1000"),
        ("user: 0:0", "user", "0:0"),
        ("working_dir: /root/ws", "working_dir", "/root/ws"),
        # rights
        ("cap_add: [SYS_NICE, NET_RAW, SYS_NICE]", "cap_add", ("SYS_NICE", "NET_RAW")),
        ("cap_drop: [ALL]", "cap_drop", ("ALL",)),
        ("security_opt: ['seccomp:unconfined']", "security_opt", ("seccomp:unconfined",)),
        ("group_add: [video, 44]", "group_add", ("video", "44")),
        ("device_cgroup_rules: ['c 81:* rmw']", "device_cgroup_rules", ("c 81:* rmw",)),
        ("ipc: host", "ipc", "host"),
        ("ipc: shareable", "ipc", "shareable"),
        ("pid: host", "pid", "host"),
        ("sysctls: {net.core.somaxconn: 1024}", "sysctls", {"net.core.somaxconn": "1024"}),
        ("sysctls: [net.core.somaxconn=1024]", "sysctls", {"net.core.somaxconn": "1024"}),
        # sizes, numbers, times
        ("shm_size: 64m", "shm_size", 64 * MIB),
        ("shm_size: 1.5GB", "shm_size", 1536 * MIB),
        ("shm_size: 67108864", "shm_size", 64 * MIB),
        ("shm_size: 512 KiB", "shm_size", 512 * 1024),
        ("shm_size: 100b", "shm_size", 100),
        ("mem_limit: 2g", "memory", 2048 * MIB),
        ("cpus: 1.5", "cpus", 1.5),
        ("cpus: '0.5'", "cpus", 0.5),
        ("stop_grace_period: 1m30s", "stop_grace_period", 90.0),
        ("stop_grace_period: 500ms", "stop_grace_period", 0.5),
        ("stop_grace_period: 1h0m1.5s", "stop_grace_period", 3601.5),
        ("stop_grace_period: 0", "stop_grace_period", 0.0),
        ("stop_signal: SIGINT", "stop_signal", "SIGINT"),
        ("stop_signal: 2", "stop_signal", "2"),
        ("ulimits: {memlock: -1}", "ulimits", (Ulimit("memlock", -1, -1),)),
        (
            "ulimits: {rtprio: 99, nofile: {soft: 1024, hard: 4096}}",
            "ulimits",
            (Ulimit("rtprio", 99, 99), Ulimit("nofile", 1024, 4096)),
        ),
        # restarts
        ("restart: no", "restart", "no"),
        ("restart: 'no'", "restart", "no"),
        ("restart: false", "restart", "no"),
        ("restart: always", "restart", "always"),
        ("restart: unless-stopped", "restart", "unless-stopped"),
        ("restart: on-failure", "restart", "on-failure"),
        ("restart: on-failure:3", "restart_retries", 3),
        ("deploy: {restart_policy: {condition: any}}", "restart", "always"),
        ("deploy: {restart_policy: {condition: none}}", "restart", "no"),
        (
            "deploy: {restart_policy: {condition: on-failure, max_attempts: 4}}",
            "restart_retries",
            4,
        ),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", "restart", "always"),
        # labels and logs
        ("labels: {a: b, c: 1, d: true, e: }", "labels",
         {"a": "b", "c": "1", "d": "true", "e": ""}),
        ("labels: [a=b, c, d=]", "labels", {"a": "b", "c": "", "d": ""}),
        ("logging: {driver: journald}", "log_driver", "journald"),
        ("logging: {options: {max-size: 10m, max-file: 3}}", "log_options",
         {"max-size": "10m", "max-file": "3"}),
        # names and addresses
        ("extra_hosts: ['qtrp:192.168.50.12']", "extra_hosts", (("qtrp", "192.168.50.12"),)),
        ("extra_hosts: ['qtrp=192.168.50.12']", "extra_hosts", (("qtrp", "192.168.50.12"),)),
        ("extra_hosts: ['v6:fd00::1', 'w6=[fd00::2]']", "extra_hosts",
         (("v6", "fd00::1"), ("w6", "fd00::2"))),
        ("extra_hosts: {qtrp: 192.168.50.12, gw: host-gateway}", "extra_hosts",
         (("qtrp", "192.168.50.12"), ("gw", "host-gateway"))),
        ("extra_hosts: {qtrp: [192.168.50.12, 'fd00::1']}", "extra_hosts",
         (("qtrp", "192.168.50.12"), ("qtrp", "fd00::1"))),
        ("dns: 192.168.50.1", "dns", ("192.168.50.1",)),
        ("dns: [192.168.50.1, 1.1.1.1, 1.1.1.1]", "dns", ("192.168.50.1", "1.1.1.1")),
        ("dns_search: lan", "dns_search", ("lan",)),
        ("dns_opt: ['ndots:2']", "dns_options", ("ndots:2",)),
        # health
        ("healthcheck: {test: curl -f x}", "healthcheck", Healthcheck(("CMD-SHELL", "curl -f x"))),
        ("healthcheck: {test: [CMD, rosnode, list], interval: 10s, timeout: 5s, retries: 3,"
         " start_period: 1m}", "healthcheck",
         Healthcheck(("CMD", "rosnode", "list"), 10.0, 5.0, 60.0, 3)),
        ("healthcheck: {disable: true}", "healthcheck", Healthcheck(("NONE",))),
        ("healthcheck: {test: [NONE]}", "healthcheck", Healthcheck(("NONE",))),
        # devices
        ("devices: [/dev/snd]", "devices", (Device("/dev/snd", "/dev/snd"),)),
        ("devices: ['/dev/video2:/dev/video0']", "devices",
         (Device("/dev/video2", "/dev/video0"),)),
        ("devices: ['/dev/sda:/dev/xvda:r']", "devices", (Device("/dev/sda", "/dev/xvda", "r"),)),
        ("devices: ['/dev/sda:rw']", "devices", (Device("/dev/sda", "/dev/sda", "rw"),)),
        ("devices: [{source: /dev/a, target: /dev/b, permissions: rw}, {source: /dev/c}]",
         "devices", (Device("/dev/a", "/dev/b", "rw"), Device("/dev/c", "/dev/c"))),
        ("devices: ['/dev/a:/dev/x', '/dev/b:/dev/x']", "devices", (Device("/dev/b", "/dev/x"),)),
        # GPUs
        ("gpus: all", "device_requests", (DeviceRequest(count=-1),)),
        ("gpus: 2", "device_requests", (DeviceRequest(count=2),)),
        ("gpus: [{driver: nvidia, count: 1}]", "device_requests",
         (DeviceRequest(driver="nvidia", count=1),)),
        ("deploy: {resources: {reservations: {devices: [{driver: nvidia, device_ids: ['0', '3'],"
         " capabilities: [gpu, utility], options: {a: b}}]}}}", "device_requests",
         (DeviceRequest("nvidia", None, ("0", "3"), (("gpu", "utility"),), {"a": "b"}),)),
        ("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: all}]}}}",
         "device_requests", (DeviceRequest(count=-1),)),
        ("deploy: {resources: {limits: {cpus: '2', memory: 1g}}}", "cpus", 2.0),
        ("deploy: {resources: {limits: {cpus: '2', memory: 1g}}}", "memory", 1024 * MIB),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 1024m}}}", "memory", 1024 * MIB),
        ("mem_reservation: 1g\nmemswap_limit: -1\nmem_swappiness: 0", "host_config",
         {"MemoryReservation": 1024 * MIB, "MemorySwap": -1, "MemorySwappiness": 0}),
        ("cpuset: 0-3\ncpu_shares: 512\ncpu_quota: 50ms\ncpu_period: 100000", "host_config",
         {"CpusetCpus": "0-3", "CpuShares": 512, "CpuQuota": 50_000, "CpuPeriod": 100_000}),
        ("cpu_rt_runtime: 95000\ncpu_rt_period: '1s'", "host_config",
         {"CpuRealtimeRuntime": 95_000, "CpuRealtimePeriod": 1_000_000}),
        ("oom_score_adj: -500\noom_kill_disable: true\npids_limit: 100", "host_config",
         {"OomScoreAdj": -500, "OomKillDisable": True, "PidsLimit": 100}),
        ("uts: host\nuserns_mode: host\ncgroup: private\ncgroup_parent: robot.slice",
         "host_config", {"UTSMode": "host", "UsernsMode": "host", "CgroupnsMode": "private",
                         "CgroupParent": "robot.slice"}),
        ("storage_opt: {size: 1G}", "host_config", {"StorageOpt": {"size": "1G"}}),
        ("pids_limit: 9\ndeploy: {resources: {limits: {pids: 9}, reservations: {memory: 1g}}}",
         "host_config", {"PidsLimit": 9, "MemoryReservation": 1024 * MIB}),
        ("gpus: all\ndevices: [/dev/snd, nvidia.com/gpu=all, vendor.org/npu=0:1]",
         "device_requests", (DeviceRequest(count=-1),
          DeviceRequest("cdi", None, ("nvidia.com/gpu=all", "vendor.org/npu=0:1"), ()))),
        ("devices: [/dev/snd, nvidia.com/gpu=all]", "devices", (Device("/dev/snd", "/dev/snd"),)),
        # tmpfs
        ("tmpfs: /run", "tmpfs", {"/run": ""}),
        ("tmpfs: ['/run:size=64m,mode=1777', /tmp]", "tmpfs",
         {"/run": "size=64m,mode=1777", "/tmp": ""}),
        # the rest
        ("profiles: [sim, debug]", "profiles", ("sim", "debug")),
        ("pull_policy: always", "pull_policy", "always"),
        ("pull_policy: if_not_present", "pull_policy", "missing"),
        ("mac_address: 02-42-AC-11-00-02", "mac", "02:42:ac:11:00:02"),
        ("mac_address: 02:42:11:22:33:44", "mac", "02:42:11:22:33:44"),
        ("mac_address: 22:22:22:22:22:22", "mac", "22:22:22:22:22:22"),
        ("build: .", "build", True),
        ("build: {context: ., dockerfile: D}", "build", True),
        ("", "build", False),
        ("x-note: {anything: [1, 2]}", "image", "ros"),
        ("x-macvlan-ros: {host: qtpc}", "host", "qtpc"),
        ("x-macvlan-ros: {ros: 2}", "ros", "2"),
        ("x-macvlan-ros: {ros: none}", "ros", "none"),
        ("x-macvlan-ros:", "host", ""),
        ("scale: 1", "image", "ros"),
        ("deploy: {replicas: 1, mode: replicated}", "image", "ros"),
        ("environment:", "environment", {}),
        ("volumes:", "mounts", ()),
    ],
)  # fmt: skip
def test_a_key_becomes(tmp_path: Path, keys: str, field: str, wanted: Any) -> None:
    service = load_service(tmp_path, keys, environ={"PRIVILEGED": "true"})
    assert getattr(service, field) == wanted


@pytest.mark.parametrize(
    ("volume", "wanted"),
    [
        ("/a:/b", Mount("bind", "/a", "/b", create_source=True)),
        ("/a/:/b/", Mount("bind", "/a", "/b", create_source=True)),
        ("/a:/b:ro", Mount("bind", "/a", "/b", read_only=True, create_source=True)),
        ("/a:/b:rw", Mount("bind", "/a", "/b", create_source=True)),
        ("/a:/b:ro,z", Mount("bind", "/a", "/b", True, create_source=True, mode="z")),
        ("/a:/b:rslave,cached",
         Mount("bind", "/a", "/b", create_source=True, mode="rslave,cached")),
        ("./a:/b", Mount("bind", "FOLDER/a", "/b", create_source=True)),
        (".:/b", Mount("bind", "FOLDER", "/b", create_source=True)),
        ("../a:/b", Mount("bind", "PARENT/a", "/b", create_source=True)),
        ("~/a:/b", Mount("bind", "/home/qt/a", "/b", create_source=True)),
        ("~:/b", Mount("bind", "/home/qt", "/b", create_source=True)),
        ("$HOME/.ssh/:/root/.ssh:ro", Mount("bind", "/home/qt/.ssh", "/root/.ssh", True, True)),
        ("/b", Mount("volume", "", "/b")),
        ("logs:/b", Mount("volume", "project_logs", "/b")),
        ("logs:/b:ro,nocopy", Mount("volume", "project_logs", "/b", True, mode="nocopy")),
        ("named:/b", Mount("volume", "called", "/b")),
        ("outside:/b", Mount("volume", "outside", "/b")),
        ("old:/b", Mount("volume", "older", "/b")),
        ("{type: bind, source: ./a, target: /b}",
         Mount("bind", "FOLDER/a", "/b", create_source=True)),
        ("{type: bind, source: /a, target: /b, read_only: true, bind: {create_host_path: false,"
         " propagation: rslave, selinux: z}}", Mount("bind", "/a", "/b", True, mode="rslave,z")),
        ("{type: volume, source: logs, target: /b, volume: {nocopy: true}}",
         Mount("volume", "project_logs", "/b", mode="nocopy")),
        ("{type: volume, target: /b}", Mount("volume", "", "/b")),
        ("{type: tmpfs, target: /b, tmpfs: {size: 64m, mode: 0o1777}}",
         Mount("tmpfs", "", "/b", mode="1777", size=64 * MIB)),
        ("{type: tmpfs, target: /b, tmpfs: {mode: 01777}}", Mount("tmpfs", "", "/b", mode="1777")),
    ],
)  # fmt: skip
def test_a_volume_becomes(tmp_path: Path, volume: str, wanted: Mount) -> None:
    declared = """
        name: project
        volumes:
          logs:
          named: {name: called}
          outside: {external: true}
          old: {external: {name: older}}
        """
    keys = f"volumes:\n  - {volume}"
    service = load_service(tmp_path, keys, environ={"HOME": "/home/qt"}, more=declared)
    source = wanted.source.replace("FOLDER", str(tmp_path)).replace("PARENT", str(tmp_path.parent))
    (mount,) = service.mounts
    assert mount == Mount(
        wanted.kind,
        source,
        wanted.target,
        wanted.read_only,
        wanted.create_source,
        wanted.mode,
        wanted.size,
    )


def test_a_mode_that_nobody_knows_is_passed_over(tmp_path: Path) -> None:
    mounts = load_service(tmp_path, "volumes: ['/a:/b:rwx', '/a:/c:ro,rws,z']").mounts
    assert [(one.read_only, one.mode) for one in mounts] == [(False, ""), (True, "z")]


def test_of_two_volumes_on_one_target_the_later_stands(tmp_path: Path) -> None:
    service = load_service(tmp_path, "volumes: ['/a:/x', '/b:/y', '/c:/x/']")
    assert [(mount.source, mount.target) for mount in service.mounts] == [
        ("/c", "/x"),
        ("/b", "/y"),
    ]


def test_only_the_volumes_that_are_used_are_listed(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        """
        name: p
        services: {talker: {image: ros, volumes: ['a:/a', 'c:/c', '/anonymous']}}
        volumes: {a: , b: , c: {external: true, name: sea}}
        """,
    )
    assert stack.volumes == {"p_a": False, "sea": True}


@pytest.mark.parametrize("options", ["{driver: nfs}", "{driver_opts: {type: nfs}}"])
def test_a_volume_that_cannot_be_made_matters_once_it_is_mounted(
    tmp_path: Path, options: str
) -> None:
    declared = f"volumes: {{logs: {options}}}\n"
    assert load_service(tmp_path, "volumes: [/a]", more=declared).mounts
    said = error_of(lambda: load_service(tmp_path, "volumes: ['logs:/b']", more=declared))
    assert "key 'volumes.logs.driver" in said
    assert "make the volume with docker volume create and declare it external" in said


def test_dependencies_are_read_in_both_forms(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        """
        services:
          core: {image: ros}
          init: {image: ros}
          one: {image: ros, depends_on: [core, init]}
          two:
            image: ros
            depends_on:
              core: {condition: service_healthy}
              init: {condition: service_completed_successfully, required: false}
              gone: {condition: service_started, required: false}
              one:
        """,
    )
    assert stack.services["one"].depends_on == (Dependency("core"), Dependency("init"))
    assert stack.services["two"].depends_on == (
        Dependency("core", "healthy"),
        Dependency("init", "completed", required=False),
        Dependency("one"),
    )


def test_a_shared_namespace_is_the_other_services_container_and_waits_for_it(
    tmp_path: Path,
) -> None:
    stack = load_text(
        tmp_path,
        """
        services:
          core: {image: ros, container_name: the_core, ipc: shareable}
          talker: {image: ros, ipc: 'service:core', pid: 'container:other'}
        """,
    )
    talker = stack.services["talker"]
    assert (talker.ipc, talker.pid) == ("container:the_core", "container:other")
    assert talker.depends_on == (Dependency("core"),)


def test_a_built_service_without_an_image_is_called_as_compose_calls_it(tmp_path: Path) -> None:
    stack = load_text(tmp_path, "{name: proj, services: {talker: {build: .}}}")
    assert (stack.services["talker"].image, stack.services["talker"].build) == ("proj-talker", True)


# --- environment ---


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ("[A=1, B=, C=a=b]", {"A": "1", "B": "", "C": "a=b"}),
        ("{A: 1, B: '', C: a=b}", {"A": "1", "B": "", "C": "a=b"}),
        ("{A: true, B: 1.10, C: 0x10, D: 1e3, E: 2.0}",
         {"A": "true", "B": "1.1", "C": "16", "D": "1000", "E": "2"}),
        ("{A: yes, B: 22:22, C: 2026-01-01, D: '1.10', E: no}",
         {"A": "yes", "B": "22:22", "C": "2026-01-01", "D": "1.10", "E": "no"}),
        ("[SET, NONE]", {"SET": "outer"}),
        ("{SET: , NONE: null}", {"SET": "outer"}),
        ("['A=$SET', 'B=${NONE:-x}', 'C=$$SET']", {"A": "outer", "B": "x", "C": "$SET"}),
        ("[A=1, A=2]", {"A": "2"}),
        ("['A=\"quoted\"']", {"A": '"quoted"'}),
        ("{x-A: $SET}", {"x-A": "outer"}),
        ("[DOTTED]", {"DOTTED": "from .env"}),
    ],
)  # fmt: skip
def test_environment_becomes(tmp_path: Path, environment: str, wanted: dict[str, str]) -> None:
    (tmp_path / ".env").write_text("DOTTED='from .env'\nSET=not this\n")
    keys = f"environment: {environment}"
    assert load_service(tmp_path, keys, environ={"SET": "outer"}).environment == wanted


def test_env_files_stand_under_environment_and_later_ones_over_earlier(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=a\nB=a\nC=a\nSET\nE=${SET}!\nGONE=a\n")
    (tmp_path / "b.env").write_text("B=b\nC=b\n")
    service = load_service(
        tmp_path,
        """
        env_file: [a.env, ./b.env]
        environment: {C: c, GONE: }
        """,
        environ={"SET": "outer"},
    )
    assert dict(service.environment) == {
        "A": "a",
        "B": "b",
        "C": "c",
        "SET": "outer",
        "E": "outer!",
    }


@pytest.mark.parametrize(
    "env_file",
    [
        "a.env",
        "[a.env]",
        "{path: a.env}",
        "[{path: a.env, required: true}]",
        "[{path: gone.env, required: false}, a.env]",
        "[{path: a.env, format: raw}]",
    ],
)
def test_env_file_has_many_forms(tmp_path: Path, env_file: str) -> None:
    (tmp_path / "a.env").write_text("A=1\n")
    assert load_service(tmp_path, f"env_file: {env_file}").environment == {"A": "1"}


def test_a_missing_env_file_is_told_with_its_path(tmp_path: Path) -> None:
    said = error_of(lambda: load_service(tmp_path, "env_file: [conf/gone.env]"))
    assert f"names {tmp_path}/conf/gone.env, and there is no such file" in said
    assert "service 'talker', key 'env_file[0]'" in said


# --- notes ---


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("ports: ['22:22', {target: 80}]", "service 'talker': ports are not published"),
        ("expose: [80]", "service 'talker': expose has no meaning"),
        ("links: [other]", "service 'talker': links are not needed"),
        ("deploy: {placement: {constraints: [a]}}", "deploy.placement speaks to a swarm alone"),
        ("deploy: {resources: {reservations: {cpus: '1'}}}", "reservations.cpus speaks"),
        ("healthcheck: {test: a, start_interval: 1s}", "healthcheck.start_interval is ignored"),
        ("hostname: ${NOBODY}", "the variable NOBODY is not set; it is taken as empty"),
        ("network_mode: host", "network_mode 'host' is replaced by the macvlan network 'ros_lan'"),
        ("network_mode: bridge", "network_mode 'bridge' is replaced"),
        ("volumes: ['/a:/b:rwx']", "'volumes[0]' has the mode 'rwx', which nobody knows (did you"),
    ],
)
def test_what_changes_nothing_is_noted_once(tmp_path: Path, keys: str, said: str) -> None:
    text = "services:\n  talker:\n    image: ros\n    " + keys
    notes = load_text(tmp_path, text).notes
    assert len([note for note in notes if said in note]) == 1
    assert len(notes) == 1


def test_an_unset_variable_is_noted_once_for_all_its_places(tmp_path: Path) -> None:
    stack = load_text(
        tmp_path,
        "services: {a: {image: x$NONE, user: $NONE}, b: {image: 'y${NONE}', hostname: $GONE}}",
        "services: {a: {hostname: 'h$NONE'}}",
    )
    assert [note.split()[2] for note in stack.notes] == ["NONE", "GONE"]
    assert str(tmp_path / "0.yaml") + ":1" in stack.notes[0]


# --- what is wrong ---


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        # unknown and unsupported keys
        ("imgae: ros", "key 'imgae' is not a key of a service (did you mean 'image'?"),
        ("enviroment: [A=1]", "did you mean 'environment'?"),
        ("dockerfile: .", "key 'dockerfile' is not a key of a service"),
        ("configs: [a]", "key 'configs' is not supported; mount the file"),
        ("secrets: [a]", "key 'secrets' is not supported; mount the file"),
        ("volumes_from: [a]", "key 'volumes_from' is not supported"),
        ("scale: 3", "key 'scale' is 3, but a service here is one container"),
        ("deploy: {replicas: 2}", "key 'deploy.replicas' is 2, but a service here is one"),
        ("deploy: {replicsa: 2}", "did you mean 'replicas'?"),
        ("deploy: {mode: replicated-job}", "jobs are not supported"),
        ("pids_limit: 4\ndeploy: {resources: {limits: {pids: 5}}}", "the service's 'pids_limit'"),
        ("cgroup: none", "key 'cgroup' must be host or private, is 'none'"),
        ("cpu_quota: 5 minutes", "key 'cpu_quota' is no duration"),
        ("healthcheck: {tset: a}", "key 'healthcheck.tset' is not a key of a healthcheck"),
        ("logging: {drivers: a}", "did you mean 'driver'?"),
        # wrong types
        ("environment: 5", "key 'environment' must be a mapping or a list, is a number"),
        ("environment: a", "key 'environment' must be a mapping or a list, is the text 'a'"),
        ("environment: [{A: b}]", "key 'environment[0]' must be KEY=VALUE, is a mapping"),
        ("environment: {A: [b]}", "key 'environment.A' must be a text or a number, is a list"),
        ("environment: [=a]", "is no variable's name"),
        ("devices: /dev/snd", "key 'devices' must be a list, is the text '/dev/snd'"),
        ("volumes: {a: b}", "key 'volumes' must be a list, is a mapping"),
        ("command: {a: b}", "key 'command' must be a text, is a mapping"),
        ("command: [[a]]", "key 'command[0]' must be a text, is a list"),
        ("command: true", """must be a text, is true or false; put it in quotes: "true\""""),
        ("privileged: maybe", "key 'privileged' must be true or false, is the text 'maybe'"),
        ("privileged: [true]", "must be true or false, is a list"),
        ("cap_add: SYS_NICE", "key 'cap_add' must be a list"),
        ("labels: 3", "key 'labels' must be a mapping or a list"),
        ("depends_on: core", "key 'depends_on' must be a mapping or a list"),
        ("deploy: x", "key 'deploy' must be a mapping"),
        ("healthcheck: x", "key 'healthcheck' must be a mapping"),
        ("cpus: many", "key 'cpus' must be a number"),
        ("cpus: .inf", "key 'cpus' must be a number"),
        ("cpus: -1", "key 'cpus' must not be negative"),
        # wrong values
        ('command: "bash -c \'echo"', "cannot be split into words (No closing quotation)"),
        ("shm_size: lots", "key 'shm_size' is no size: 'lots'"),
        ("shm_size: 1.5.5g", "is no size"),
        ("shm_size: 99999999999g", "is larger than any memory"),
        ("shm_size: -1", "is no size"),
        ("stop_grace_period: 10", "is no duration: '10'; write a number with its unit"),
        ("stop_grace_period: soon", "is no duration"),
        ("stop_grace_period: 10x", "is no duration"),
        ("stop_grace_period: -5s", "is no duration"),
        ("stop_grace_period: 99999999999h", "is no duration"),
        ("healthcheck: {test: [rosnode]}", "must begin with CMD, CMD-SHELL or NONE"),
        ("healthcheck: {test: a, retries: -1}", "key 'healthcheck.retries' must be 0 or more"),
        ("healthcheck: {interval: 5}", "key 'healthcheck.interval' is no duration"),
        ("ulimits: {memlok: 1}", "did you mean 'memlock'?"),
        ("ulimits: {nofile: many}", "key 'ulimits.nofile' must be a whole number"),
        ("ulimits: {nofile: {soft: 5}}", "must have both 'soft' and 'hard'"),
        ("ulimits: {nofile: {soft: 5, hard: 1}}", "has a soft limit above its hard one"),
        ("ulimits: {nofile: {soft: -1, hard: 1}}", "has a soft limit above its hard one"),
        ("ulimits: {nofile: -2}", "must be -1 (no limit) or more"),
        ("restart: sometimes", "must be one of no, always, on-failure, unless-stopped"),
        ("restart: always:3", "must be one of"),
        ("restart: on-failure:x", "must be one of"),
        ("restart: on-failure:²", "must be one of"),
        ("extra_hosts: [qtrp]", "must be NAME=ADDRESS"),
        ("extra_hosts: ['qtrp:nowhere']", "key 'extra_hosts.qtrp' is nowhere: not an address"),
        ("dns: lan", "key 'dns' is lan: not an address"),
        ("dns: ''", "key 'dns' is empty; write an address here or remove the key"),
        ("pull_policy: sometimes", "must be always, missing or never"),
        ("profiles: ['a b']", "is no profile's name: 'a b'"),
        ("container_name: a b", "the container the name 'a b', which Docker does not"),
        ("container_name: x", "choose another 'container_name'"),
        ("mac_address: 02:42", "is no MAC: '02:42'"),
        ("mac_address: 01:42:ac:11:00:02", "is a multicast MAC"),
        ("gpus: some", "must be 'all' or a number"),
        ("gpus: [{count: 1, device_ids: ['0']}]", "has both 'count' and 'device_ids'"),
        ("devices: [dev/snd]", "must be a device's absolute path"),
        ("devices: ['/dev/a:/dev/b:xyz']", "must have permissions of r, w and m"),
        ("devices: ['/dev/a:/dev/b:r:w']", "more than two ':'"),
        ("devices: [{target: /dev/a}]", "has no 'source'"),
        ("tmpfs: run", "must have an absolute path in the container, has 'run'"),
        ("ipc: 'service:core'", "names 'core', which is no service"),
        ("depends_on: [cora]", "names 'cora', which is no service"),
        ("depends_on: {talker: {condition: healthy}}", "did you mean 'service_healthy'?"),
        ("depends_on: [talker]", "goes in a circle: talker -> talker"),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}", "contradicts the service's"),
        ("env_file: [{required: true}]", "key 'env_file[0]' has no 'path'"),
        # volumes
        ("volumes: ['/a:b']", "must have an absolute path in the container, has 'b'"),
        ("volumes: ['/a:']", "must have an absolute path in the container, has nothing"),
        ("volumes: [':/b']", "has nothing before the ':'"),
        ("volumes: ['/a:/b:rw:z']", "more than two ':'"),
        ("volumes: ['logs:/b']", "names the volume 'logs', which the top-level 'volumes' does not"),
        ("volumes: [{source: /a, target: /b}]", "must have a type of bind, volume, tmpfs"),
        ("volumes: [{type: npipe, source: a, target: /b}]", "has 'npipe'"),
        ("volumes: [{type: bind, target: /b}]", "must have a 'source'"),
        ("volumes: [{type: bind, source: /a}]", "has no 'target'"),
        ("volumes: [{type: bind, source: /a, target: /b, tmpfs: {size: 1}}]", "has no meaning"),
        ("volumes: [{type: bind, source: /a, target: /b, bind: {propagation: x}}]", "must be one"),
        ("volumes: [{type: volume, target: /b, volume: {subpath: x}}]", "is not a key of a volume"),
        ("volumes: [{type: tmpfs, source: a, target: /b}]", "has no meaning for a tmpfs"),
        # variables
        ("hostname: ${NAME:?give a name}", "key 'hostname' needs the variable NAME, which is not"),
        ("devices: ['${DEV']", "key 'devices[0]' has a '${' without its '}'"),
        # namespaces of the network
        ("network_mode: none", "is 'none', but ROS needs a network"),
        ("network_mode: 'service:core'", "shares another container's address"),
        ("network_mode: 'container:core'", "shares another container's address"),
        ("network_mode: my_net", "name networks under 'networks' instead"),
        ("network_mode: host\nnetworks: [default]", "cannot stand beside 'networks'"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_service_and_key(
    tmp_path: Path, keys: str, said: str
) -> None:
    sentence = error_of(lambda: load_service(tmp_path, keys))
    assert said in sentence
    assert sentence.startswith(f"{tmp_path / '0.yaml'}:")
    assert "service 'talker'" in sentence


def test_the_line_is_the_keys_own(tmp_path: Path) -> None:
    text = "services:\n  core: {image: ros}\n  talker:\n    image: ros\n    cap_add:\n    - [a]\n"
    assert ":6: service 'talker', key 'cap_add[0]'" in error_of(lambda: load_text(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: {talker: {}}", "service 'talker' has no image; add 'image: NAME'"),
        ("services: {talker: }", "service 'talker' has no image"),
        ("services: {talker: {image: ''}}", "key 'image' has no image"),
        ("services: {talker: x}", "service 'talker' must be a mapping, is the text 'x'"),
        ("services: {'a b': {image: x}}", "service 'a b' is no service's name"),
        (f"services: {{{'a' * 129}: {{image: x}}}}", "choose another 'container_name'"),
        ("services: [a]", "key 'services' must be a mapping, is a list"),
        ("services: {}", "has no services; add some under 'services'"),
        ("version: '3'", "has no services"),
        ("{services: {ab: {image: x}}, volume: {}}", "key 'volume' is not a key of a stack (did"),
        ("{services: {ab: {image: x}}, configs: {a: {file: b}}}", "key 'configs' is not supported"),
        ("{secrets: {a: {file: b, environment: C}}, services: {}}", "has no services"),
    ],
)
def test_a_stack_that_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in error_of(lambda: load_text(tmp_path, text))


@pytest.mark.parametrize("name", ["a", "_a", "-a"])
def test_a_service_whose_name_no_container_can_have_is_called_by_its_project_too(
    tmp_path: Path, name: str
) -> None:
    stack = load_text(tmp_path, f"{{name: proj, services: {{{name}: {{image: ros}}}}}}")
    assert stack.services[name].container_name == f"proj-{name}"


def test_every_field_of_a_service_can_be_set_from_a_file(tmp_path: Path) -> None:
    """A field that no key reaches would be a key that is skipped in silence."""
    service = load_text(
        tmp_path,
        """
        x-macvlan-ros: {hosts: {qtpc: }, subnet6: auto}
        networks: {lan: {driver: overlay}, side: }
        services:
          core: {image: ros}
          talker:
            image: ros
            build: .
            container_name: my_talker
            command: a
            entrypoint: b
            hostname: c
            domainname: d
            environment: [A=1]
            labels: [B=2]
            init: true
            tty: true
            stdin_open: true
            privileged: true
            read_only: true
            working_dir: /w
            user: u
            devices: [/dev/snd]
            device_cgroup_rules: [c 1:1 r]
            volumes: ['/a:/b']
            tmpfs: /run
            cap_add: [A]
            cap_drop: [B]
            security_opt: [c]
            group_add: [d]
            ipc: host
            pid: host
            shm_size: 1m
            mem_limit: 1g
            cpus: 1
            ulimits: {core: 1}
            sysctls: {a: b}
            restart: on-failure:2
            logging: {driver: local, options: {a: b}}
            extra_hosts: {a: 10.0.0.1}
            dns: 10.0.0.1
            dns_search: a
            dns_opt: [b]
            stop_signal: SIGINT
            stop_grace_period: 1s
            healthcheck: {test: a}
            depends_on: [core]
            runtime: nvidia
            gpus: all
            pids_limit: 9
            profiles: [p]
            networks: {lan: {ipv4_address: 172.18.3.4, aliases: [tk]}, side: {gw_priority: 1}}
            mac_address: 02:42:ac:11:00:02
            platform: linux/amd64
            pull_policy: never
            x-macvlan-ros: {host: qtpc, address: 192.168.50.20, address6: 'fd00::20', ros: 1}
        """,
    ).services["talker"]
    plain = Service(name="", image="", container_name="")
    same = {name for name in Service.__slots__ if getattr(service, name) == getattr(plain, name)}
    assert same == {"off_lan"}  # which goes with none of the LAN's keys; see test_stack_off_lan


def test_a_seccomp_profile_is_read_in_as_the_docker_command_does(tmp_path: Path) -> None:
    (tmp_path / "seccomp.json").write_text('{"defaultAction":\n  "SCMP_ACT_ALLOW"}')
    service = load_service(tmp_path, "security_opt: [seccomp=seccomp.json, label=disable]")
    assert service.security_opt == (
        'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
        "label=disable",
    )


@pytest.mark.parametrize(
    ("option", "problem"),
    [("seccomp=gone.json", "no such file"), ("'seccomp:bad.json'", "bad.json, which is not JSON")],
)
def test_a_seccomp_profile_that_is_missing_or_no_json_is_named(
    tmp_path: Path, option: str, problem: str
) -> None:
    (tmp_path / "bad.json").write_text("{")
    assert problem in error_of(lambda: load_service(tmp_path, f"security_opt: [{option}]"))


SECRETS = "{key: {file: ./id, name: x}, token: {environment: TOKEN}, far: {external: true}}"


def built(tmp_path: Path, secrets: str, declared: str = SECRETS) -> Build:
    """How a service is built that has these secrets, where TOKEN is 'abc'."""
    (tmp_path / ".env").write_text("TOKEN=abc\n")
    text = f"secrets: {declared}\nservices: {{ab: {{build: {{secrets: {secrets}}}}}}}"
    recipe = load_text(tmp_path, text).services["ab"].recipe
    assert recipe is not None
    return recipe


def test_a_build_s_secrets_are_files_and_variables(tmp_path: Path) -> None:
    recipe = built(tmp_path, "[key, {source: token, target: git}]")
    assert arguments("image", recipe)[2:-1] == [
        *("--secret", f"id=key,src={tmp_path}/id"),
        *("--secret", "id=git,env=TOKEN"),
    ]
    assert recipe.variables == {"TOKEN": "abc"}
    assert "abc" not in repr(recipe)
    comma = built(tmp_path, "[key]", "{key: {file: '/a,b'}}")
    assert arguments("image", comma)[3] == 'id=key,"src=/a,b"'


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ("[kee]", "is not declared in the top-level 'secrets' (did you mean 'key'?)"),
        ("[far]", "names 'far', which is external"),
        ("[none]", "needs NOT_SET, which is not set"),
        ("[{target: a}]", "has no 'source'"),
        ("[{source: key, mode: 0440}]", "RUN --mount=type=secret,mode=…"),
        ("[both]", "contradicts 'file'"),
    ],
)
def test_secrets_that_a_build_cannot_have_are_refused(
    tmp_path: Path, secrets: str, said: str
) -> None:
    more = ", none: {environment: NOT_SET}}"
    more = ", both: {file: a, environment: TOKEN}" + more if "both" in secrets else more
    assert said in error_of(lambda: built(tmp_path, secrets, SECRETS[:-1] + more))
