"""Agreement: whether the ROS 2 services of a stack speak in one domain and by one middleware."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from macvlan_ros.ros import Graph
from macvlan_ros.verify import culprits
from macvlan_ros.verify.check import BAD, WARNING, Check
from macvlan_ros.verify.place import Place

_DOMAIN, _MIDDLEWARE = "ROS_DOMAIN_ID", "RMW_IMPLEMENTATION"


def examine(places: Sequence[Place], graph: Graph) -> list[Check]:
    """A check for each service that differs from most of those whose variables are known; none for
    what is not said: images have a middleware of their own."""
    known = {one.name: _variables(one) for one in places if one.ros == "2"}
    domains = {
        name: said.get(_DOMAIN) or graph.domain or "0" for name, said in known.items() if said
    }
    spoken = {name: said[_MIDDLEWARE] for name, said in known.items() if said.get(_MIDDLEWARE)}
    found = [
        Check(
            "discovery",
            one,
            others,
            WARNING,
            f"its {_DOMAIN} is {domains[one]}, theirs is {usual}: they do not hear one another",
            f"say it for the whole stack: x-macvlan-ros: {{domain: {usual}}}",
        )
        for one, others, usual in _odd(domains)
    ]
    for one, others, usual in _odd(spoken):
        apart = ("zenoh" in spoken[one]) != ("zenoh" in usual)
        text = "do not hear" if apart else "may not understand"
        found.append(
            Check(
                "discovery",
                one,
                others,
                BAD if apart else WARNING,
                f"its {_MIDDLEWARE} is {spoken[one]}, theirs is {usual}: they {text} one another",
                f"give all services the same {_MIDDLEWARE}",
            )
        )
    return found


def _variables(place: Place) -> Mapping[str, str]:
    return culprits.environment(place.pid) if place.pid else place.variables


def _odd(values: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Who has another value than most, who these are, and what they have. Of two that are equally
    many, the one that comes first counts as what most have."""
    if len(set(values.values())) < 2:
        return []
    usual = Counter(values.values()).most_common(1)[0][0]
    others = ", ".join(name for name, value in values.items() if value == usual)
    return [(name, others, usual) for name, value in values.items() if value != usual]
