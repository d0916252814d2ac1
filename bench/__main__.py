"""All benchmarks, or those that are named: `python -m bench [store launch ...]`."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path


def main() -> None:
    """Run them one after the other; each prints its own figures."""
    known = sorted(
        path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*")
    )
    wanted = sys.argv[1:] or known
    unknown = set(wanted) - set(known)
    if unknown:
        sys.exit(f"no benchmark {sorted(unknown)[0]!r}: there is {', '.join(known)}")
    os.environ["GOGC"] = "100"  # engines as people have them, where the tests' have less to do
    for name in wanted:
        importlib.import_module(f"bench.bench_{name}").main()


if __name__ == "__main__":
    main()
