"""What etcd's and the network's errors mean for a store, and what to do about them."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPException, RemoteDisconnected
from typing import Any

from macvlan_ros.errors import Forbidden, MacvlanRosError, StoreAway, StoreDown
from macvlan_ros.stores.etcd_address import EtcdAddress, Member

# gRPC's codes, which the gateway passes on (grpc.io/docs/guides/status-codes).
_DEADLINE, _EXHAUSTED, _UNAVAILABLE = 4, 8, 14

# What etcd says in etcdserver/api/v3rpc/rpctypes/error.go, and what that means.
_PASSING = (
    "timed out",
    "no leader",
    "leader changed",
    "not leader",
    "server stopped",
    "too many req",
)
_TOKEN = (
    "invalid auth token",
    "user name is empty",
    "revision of auth store is old",
    "revision in header",
)
_REMEDIES = (
    ("space exceeded", "free some (etcdctl compact, defrag, then alarm disarm)"),
    ("too many operations", "start etcd with its default --max-txn-ops, 128"),
    ("too large", "ask for fewer at a time"),
    ("corrupt", "put that member right (etcdctl alarm list)"),
)


class MemberFailed(Exception):
    """One member did not do it. `hopeful`: it, or another, may in a moment."""

    def __init__(self, said: str, *, hopeful: bool = False) -> None:
        super().__init__(said)
        self.said = said
        self.hopeful = hopeful


class TokenRefused(Exception):
    """etcd wants a new token, or a first one."""


def judge(status: int, text: bytes, address: EtcdAddress) -> dict[str, Any]:
    """A member's answer, if it is one.

    Raises MemberFailed, TokenRefused, and StoreDown or Forbidden when no other member would say
    otherwise.
    """
    try:
        answer = json.loads(text)
    except ValueError:
        raise MemberFailed(_not_etcd(status, text)) from None
    if status == 200 and isinstance(answer, dict):
        return answer
    if not isinstance(answer, dict) or not ("error" in answer or "message" in answer):
        raise MemberFailed(_not_etcd(status, text))
    said = str(answer.get("message") or answer["error"])
    code = answer.get("code")
    if status == 401 or any(words in said for words in _TOKEN):
        raise TokenRefused(said)
    if code in (_DEADLINE, _UNAVAILABLE) or any(words in said for words in _PASSING):
        raise MemberFailed(said.removeprefix("etcdserver: "), hopeful=True)
    raise _refused(said, address)


def _refused(said: str, address: EtcdAddress) -> MacvlanRosError:
    said = said.removeprefix("etcdserver: ")
    if "authentication failed" in said:
        return Forbidden(
            f"store {address.url}: etcd does not know the user with this password; look at "
            "MACVLAN_ROS_ETCD_USER and MACVLAN_ROS_ETCD_PASSWORD (or _FILE)"
        )
    if "permission denied" in said:
        return Forbidden(
            f"store {address.url}: its etcd user has no right to {address.prefix}; grant it with: "
            f"etcdctl role grant-permission ROLE readwrite {address.prefix} --prefix=true"
        )
    for words, remedy in _REMEDIES:
        if words in said:
            return StoreDown(f"store {address.url}: etcd says '{said}'; {remedy}")
    return StoreDown(f"store {address.url}: etcd says '{said}'; look at its log")


def explain(error: OSError | HTTPException, *, seconds: float, tls: bool) -> MemberFailed:
    """What went wrong on the way to a member, after so many seconds."""
    if isinstance(error, TimeoutError):
        return MemberFailed(f"no answer in {seconds:.1f} s", hopeful=True)
    if isinstance(error, ConnectionRefusedError):
        return MemberFailed("connection refused")
    if isinstance(error, socket.gaierror):
        return MemberFailed("its name is not known")
    if isinstance(error, ssl.SSLError):
        return MemberFailed(_explain_tls(error))
    if isinstance(error, RemoteDisconnected):
        hint = "" if tls else " (if it speaks TLS, write etcds://)"
        return MemberFailed(f"it broke off without an answer{hint}", hopeful=True)
    if isinstance(error, HTTPException):
        return MemberFailed(
            "it broke off" if not str(error) else f"it broke off ({error})", hopeful=True
        )
    return MemberFailed((error.strerror or str(error)).lower(), hopeful=True)


def _explain_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = {9: "is not valid yet", 10: "has expired"}.get(error.verify_code)
        if reason:
            return f"its certificate {reason} (or this PC's clock is wrong)"
        return f"its certificate is not to be trusted ({error.verify_message.rstrip('.')})"
    reason = error.reason or str(error)
    if "CERTIFICATE_EXPIRED" in reason:
        return "it says that this PC's certificate has expired"
    if "ALERT" in reason and ("CERT" in reason or "CA" in reason):
        return "it does not take this PC's certificate (MACVLAN_ROS_ETCD_CERT)"
    if "EOF" in reason.upper():
        return "it broke off TLS (if it speaks none, write etcd://; see its log)"
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS (write etcd://)"
    return f"TLS failed ({reason.lower().replace('_', ' ')})"


def _not_etcd(status: int, text: bytes) -> str:
    if b"HTTPS server" in text:
        return "it speaks TLS (write etcds://)"
    return f"not an etcd 3.4 or later (HTTP {status})"


def nobody_answers(address: EtcdAddress, heard: Mapping[Member, str]) -> StoreAway:
    """All members were tried; what each of them said."""
    said = ", ".join(f"{member}: {words}" for member, words in heard.items()) or "no time was left"
    if len(address.members) == 1:
        remedy = "look whether etcd runs there and this PC reaches it"
    else:
        remedy = "etcd answers only while most of its members run and reach one another"
    return StoreAway(f"store {address.url}: etcd cannot be used ({said}); {remedy}")


def user_wanted(address: EtcdAddress, said: str, *, user: str) -> Forbidden:
    """Without a user, or with one whose new token is refused at once."""
    if user:
        said = said.removeprefix("etcdserver: ")
        return Forbidden(
            f"store {address.url}: etcd refuses the user {user!r} ({said}); look at its rights "
            f"with: etcdctl user get {user}"
        )
    return Forbidden(
        f"store {address.url}: its etcd asks for a user; set MACVLAN_ROS_ETCD_USER and "
        "MACVLAN_ROS_ETCD_PASSWORD_FILE (a certificate alone is not enough)"
    )


def newer(address: EtcdAddress, *, found: str, known: int) -> StoreDown:
    """The prefix was written by a later release, or by somebody else."""
    if not found.isdecimal():
        return foreign(address)
    return StoreDown(
        f"store {address.url}: has schema version {found}, and this macvlan-ros knows up to {known}"
        "; upgrade it with: pip install --upgrade macvlan-ros"
    )


def foreign(address: EtcdAddress) -> StoreDown:
    """Keys under the prefix that macvlan-ros has not made."""
    return StoreDown(
        f"store {address.url}: another program has keys under {address.prefix}, left as they are; "
        "name another prefix after the last slash"
    )


def damaged(address: EtcdAddress, reason: str) -> StoreDown:
    """What stands under a key is not what was written."""
    return StoreDown(
        f"store {address.url}: damaged ({reason}); see what is wrong with: macvlan-ros store check"
    )


def busy(address: EtcdAddress) -> StoreDown:
    """Others were quicker until the deadline."""
    return StoreDown(f"store {address.url}: others changed it all the time; try again")
