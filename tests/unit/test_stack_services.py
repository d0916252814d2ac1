"""A service's keys: what each form of each of them becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from macvlan_ros.models.containers import (
    Dependency,
    Device,
    DeviceRequest,
    Healthcheck,
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


# --- environment ---


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
        ("network_mode: none", "service 'talker': network_mode 'none' keeps it off the LAN"),
        ("volumes: ['/a:/b:rwx']", "'volumes[0]' has the mode 'rwx', which nobody knows (did you"),
    ],
)
def test_what_changes_nothing_is_noted_once(tmp_path: Path, keys: str, said: str) -> None:
    text = "services:\n  talker:\n    image: ros\n    " + keys
    notes = load_text(tmp_path, text).notes
    assert len([note for note in notes if said in note]) == 1
    assert len(notes) == 1


# --- what is wrong ---


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
    # the first goes with none of the LAN's keys (test_stack_off_lan), the next without a name, the
    # last without networks
    assert same == {"off_lan", "compose_name", "missing", "host_network"}


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
