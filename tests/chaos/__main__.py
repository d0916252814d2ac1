"""python -m tests.chaos [--store etcd|sqlite] [--seconds 300] [--seed N]: chaos, for that long."""

from __future__ import annotations

import argparse
import random
import sys

from tests.chaos.errands import Trouble
from tests.chaos.run import run
from tests.chaos.world import KINDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--store", choices=KINDS, default=KINDS[0], help="where reservations are")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long it goes on")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what happens")
    wanted = parser.parse_args()
    try:
        run(wanted.store, wanted.seed, seconds=wanted.seconds)
    except Trouble as trouble:
        print(f"seed {wanted.seed}: {trouble}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
