"""The doctor on firewalls: which rules of this PC can drop what containers send.

Frames between the LAN and a macvlan link pass none of the host's INPUT, OUTPUT and FORWARD chains:
they leave the parent's receive path before (macvlan's rx_handler). What is passed is the parent's
own ingress hook (nftables' family netdev). Between this PC and its containers, by way of the shim,
INPUT counts: where roscore or a node runs on the PC itself, that is what keeps containers out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from macvlan_ros.doctor.commands import said
from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding
from macvlan_ros.kernel.link_names import shim_name
from macvlan_ros.models.links import Link

if TYPE_CHECKING:
    from macvlan_ros.app import App

_DROPS = ("drop", "reject")


def check(_app: App, parent: Link) -> Iterator[Finding]:
    """The rules of this PC, as nft tells them, or else iptables."""
    shim = shim_name(parent.name)
    ruleset = said("nft", "-j", "list", "ruleset")
    rules = said("iptables", "-S", "INPUT") if ruleset is None else None
    if ruleset is None and rules is None:
        yield Finding("firewall", OK, "no firewall could be asked (nft, iptables: not root?)")
        return
    found = (
        list(judge_nft(ruleset, parent.name, shim, netdev=_netdev()))
        if ruleset is not None
        else list(judge_iptables(rules or "", shim))
    )
    yield from found
    if not found:
        yield Finding("firewall", OK, "no rule drops what containers send")


def judge_iptables(rules: str, shim: str) -> Iterator[Finding]:
    """What `iptables -S INPUT` says about the shim."""
    lines = rules.splitlines()
    drops = any(re.match(r"-P INPUT (DROP|REJECT)", line) for line in lines)
    drops |= any(re.fullmatch(r"-A INPUT -j (DROP|REJECT)( .*)?", line) for line in lines)
    accepted = any(re.search(rf"-i {re.escape(shim)} .*-j ACCEPT", line) for line in lines)
    if drops and not accepted:
        yield _keeps_out("iptables", shim)


def _netdev() -> str:
    """The netdev family's rules as text: the JSON of some versions leaves the devices out."""
    return said("nft", "list", "ruleset", "netdev") or ""


def judge_nft(ruleset: str, parent: str, shim: str, *, netdev: str = "") -> Iterator[Finding]:
    """What `nft -j list ruleset` says about parent and shim (libnftables-json(5)). `netdev` is the
    text of the ingress chains."""
    try:
        entries = list(json.loads(ruleset)["nftables"])
    except (ValueError, KeyError, TypeError):
        return
    chains = [entry["chain"] for entry in entries if "chain" in entry]
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    for chain in chains:
        mine = [rule for rule in rules if _key(rule, "chain") == _key(chain, "name")]
        drops = chain.get("policy") in _DROPS or any(_is_plain_drop(rule) for rule in mine)
        if chain.get("hook") == "ingress" and _is_on(chain, parent, netdev):
            if drops or any(_has_verdict(rule, _DROPS) for rule in mine):
                yield _takes_away(chain, parent)
        elif chain.get("hook") == "input" and drops and not any(_accepts(r, shim) for r in mine):
            yield _keeps_out(f"nftables' {chain.get('table')} {chain.get('name')}", shim)
            return


def _takes_away(chain: dict[str, Any], parent: str) -> Finding:
    where = f"{chain.get('family')} {chain.get('table')} {chain.get('name')}"
    text = f"the chain {where} drops frames on {parent} before containers see them"
    return Finding("firewall", BAD, text, f"look at: nft list chain {where}")


def _keeps_out(who: str, shim: str) -> Finding:
    return Finding(
        "firewall",
        WARNING,
        f"{who} drops what comes in, so containers reach no roscore or node on this PC itself"
        " (between containers, and with other PCs, nothing is dropped)",
        f"let containers in: iptables -I INPUT -i {shim} -j ACCEPT (ufw allow in on {shim};"
        f" firewall-cmd --zone=trusted --add-interface={shim})",
    )


def _key(entry: dict[str, Any], last: str) -> tuple[Any, ...]:
    return entry.get("family"), entry.get("table"), entry.get(last)


def _is_on(chain: dict[str, Any], parent: str, netdev: str) -> bool:
    device = chain.get("dev")
    if device is None:
        return re.search(rf"\bdevices?\b[^;]*\b{re.escape(parent)}\b", netdev) is not None
    return parent in device if isinstance(device, list) else device == parent


def _is_plain_drop(rule: dict[str, Any]) -> bool:
    """Whether it drops whatever comes."""
    words = {word for part in rule.get("expr", ()) for word in part}
    return bool(words & set(_DROPS)) and words <= {*_DROPS, "counter", "comment", "log"}


def _has_verdict(rule: dict[str, Any], verdicts: tuple[str, ...]) -> bool:
    return any(word in verdicts for part in rule.get("expr", ()) for word in part)


def _accepts(rule: dict[str, Any], shim: str) -> bool:
    return _has_verdict(rule, ("accept",)) and f'"{shim}"' in json.dumps(rule)
