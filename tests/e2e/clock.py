"""python -m tests.e2e.clock PYTHON -m MODULE ...: that module, with a clock that a file sets.

Not with libfaketime: where the monotonic clock goes on, as it does when somebody sets a PC's clock,
every time.sleep fails there (its clock_nanosleep then answers EINVAL).
"""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab import Host

#: What the clock is ahead by, in seconds; it is looked at whenever somebody asks for the time.
AHEAD = "/var/lib/ahead"
#: The words before a service's own (`PluginHost.start`).
CLOCK = (sys.executable, "-m", "tests.e2e.clock")

_time, _gmtime = time.time, time.gmtime


def _now() -> float:
    return _time() + float(Path(AHEAD).read_text())


def _utc(seconds: float | None = None) -> time.struct_time:
    return _gmtime(_now() if seconds is None else seconds)


def set_clock(host: Host, ahead: int) -> None:
    """At once: it may be looked at at any time."""
    file = host.path(AHEAD)
    new = file.with_suffix(".new")
    new.write_text(str(ahead))
    new.replace(file)


def main() -> None:
    _, _, module, *words = sys.argv[1:]
    time.time, time.gmtime = _now, _utc  # type: ignore[assignment]
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
