"""Names by mDNS: what runs on one PC answers to NAME.local on another."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tests.e2e.conftest import IMAGE
from tests.lab import Host
from tests.netns.test_mdns import ASK

STACK = f'services: {{core: {{image: "{IMAGE}", container_name: harmoni_core}}}}\n'


def ask(host: Host, name: str) -> str:
    return host.run(sys.executable, "-c", ASK, str(host.address), name).stdout.strip()


def test_a_launched_container_is_known_on_another_pc_until_it_stops(
    qtpc: Host, qtrp: Host, tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text(STACK)
    folder = str(tmp_path)
    qtpc.macvlan_ros("launch", check=True, cwd=folder)
    address = qtpc.docker(
        *("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"),
        "harmoni_core",
    ).strip()
    command = qtpc.macvlan_ros_command("names", "--mdns", "--interval", "0.5")
    # with the rights that its unit leaves it: none
    process = qtpc.popen("setpriv", "--bounding-set=-all", "--no-new-privs", *command)
    await_answer(qtrp, address)
    assert ask(qtrp, "core") == address
    qtpc.macvlan_ros("stop", check=True, cwd=folder)
    await_answer(qtrp, "")
    qtpc.macvlan_ros("launch", check=True, cwd=folder)
    await_answer(qtrp, address)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert ask(qtrp, "harmoni_core") == ""


def await_answer(host: Host, wanted: str) -> None:
    deadline = time.monotonic() + 20
    while (answer := ask(host, "harmoni-core")) != wanted:
        assert time.monotonic() < deadline, f"{answer!r} instead of {wanted!r}"
