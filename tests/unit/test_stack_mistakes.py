"""What is wrong with a stack's services, and where it is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.stack_text import error_of, load_service, load_text


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
        ("network_mode: none\nx-macvlan-ros: {mac: '02:00:00:00:00:01'}", "goes with no address"),
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
