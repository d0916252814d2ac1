"""Summaries: what holds in few lines, and what does not in a line each."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from macvlan_ros.verify.check import OK, Check

#: As many lines are read without a summary.
_READABLE = 15


def summarize(checks: Sequence[Check]) -> list[Check]:
    """The checks as people read them: those that hold, one line for each kind and source when they
    would be too many else."""
    if len(checks) <= _READABLE:
        return list(checks)
    alike: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        if check.level == OK:
            alike.setdefault(_group(check), []).append(check)
    shown: list[Check] = []
    for check in checks:
        if check.level != OK:
            shown.append(check)
            continue
        group = alike.pop(_group(check), [])
        if group:
            shown.append(group[0] if len(group) == 1 else _joined(group))
    return shown


def _group(check: Check) -> tuple[str, str]:
    return (check.kind, "" if check.kind in ("master", "node", "stale") else check.source)


def _joined(group: Sequence[Check]) -> Check:
    first = group[0]
    times = [one.milliseconds for one in group if one.milliseconds is not None]
    targets = {one.target for one in group}
    sources = {one.source for one in group}
    return Check(
        first.kind,
        first.source if len(sources) == 1 else _places(sources),
        first.target if len(targets) == 1 else f"{len(targets)} others",
        OK,
        _range(times) if times else _common(group),
    )


def _places(sources: Collection[str]) -> str:
    """How many they are, unless some of them are several already."""
    singles = not any("," in one or one.endswith(" places") for one in sources)
    return f"{len(sources)} places" if singles else "several places"


def _range(times: Sequence[float]) -> str:
    """From the shortest to the longest, in milliseconds."""
    shortest, longest = (f"{each:g} ms" for each in (min(times), max(times)))
    return longest if shortest == longest else f"{shortest.removesuffix(' ms')} to {longest}"


def _common(group: Sequence[Check]) -> str:
    texts = {one.text for one in group}
    return texts.pop() if len(texts) == 1 else ""
