"""Where an etcd is: `etcd://a:2379,b:2379/prefix`, or `etcds://` to speak TLS."""

from __future__ import annotations

import re
import ssl
from typing import NoReturn

from macvlan_ros.errors import InvalidRequest
from macvlan_ros.stores.access import EtcdAccess
from macvlan_ros.values import dataclass

_PORT = 2379
_PREFIX = "macvlan-ros"
_EXAMPLE = "etcd://192.168.50.10:2379,192.168.50.11:2379/macvlan-ros"
_HOST = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\]")


@dataclass(frozen=True, slots=True)
class Member:
    """One member's client address. `host` is a name or an address, without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class EtcdAddress:
    """A parsed URL. `url` is for people; `prefix` begins and ends with a slash."""

    url: str
    members: tuple[Member, ...]
    prefix: str
    tls: bool
    user: str = ""


def hide_password(url: str) -> str:
    """The URL as it may be shown and logged."""
    return re.sub(r"(//[^/@:]*):.*@", r"\1:***@", url)


def parse_url(url: str) -> EtcdAddress:
    """Raises InvalidRequest, without showing a password."""
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if ":" in user:
        raise InvalidRequest(
            f"store {hide_password(url)}: a password in the URL can be read in the process list "
            "and in logs; leave it out, and set MACVLAN_ROS_ETCD_PASSWORD_FILE or "
            "MACVLAN_ROS_ETCD_PASSWORD"
        )
    if at and not user:
        _refuse(url, "there is no user before the @")
    hosts, _, path = place.partition("/")
    prefix = path.strip("/") or _PREFIX
    if re.search(r"[\s?#\x00-\x1f]|//", prefix):
        _refuse(url, f"{prefix!r} is no prefix for keys")
    return EtcdAddress(
        url=url,
        members=tuple(dict.fromkeys(_member(url, each.strip()) for each in hosts.split(","))),
        prefix=f"/{prefix}/",
        tls=scheme == "etcds",
        user=user,
    )


def tls_context(address: EtcdAddress, access: EtcdAccess) -> ssl.SSLContext | None:
    """How to speak TLS with the members; None for a store that is reached without.

    Raises InvalidRequest for files that cannot be used.
    """
    files = {"CA": access.ca, "CERT": access.cert, "KEY": access.key}
    if not address.tls:
        named = [name for name, path in files.items() if path]
        if named:
            raise InvalidRequest(
                f"store {address.url}: is not reached by TLS, but MACVLAN_ROS_ETCD_{named[0]} is "
                "set; write etcds:// instead of etcd://"
            )
        return None
    if access.key and not access.cert:
        raise InvalidRequest(
            f"store {address.url}: MACVLAN_ROS_ETCD_KEY goes with MACVLAN_ROS_ETCD_CERT; set both"
        )
    try:
        context = ssl.create_default_context(cafile=access.ca or None)
        if access.cert:
            context.load_cert_chain(access.cert, access.key or None, password=_no_password)
    except OSError as error:  # which ssl.SSLError is
        what = access.cert if "context" in locals() else access.ca
        reason = "not PEM, or key and certificate do not belong together"
        if not isinstance(error, ssl.SSLError):
            reason = error.strerror or str(error)
        raise InvalidRequest(
            f"store {address.url}: the TLS file {what} cannot be used: {reason}; look at "
            "MACVLAN_ROS_ETCD_CA, _CERT and _KEY"
        ) from error
    return context


def _no_password() -> str:
    # An encrypted key would make OpenSSL ask at the terminal, and wait.
    return ""


def _member(url: str, text: str) -> Member:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(_PORT)
    if not _HOST.fullmatch(host):
        _refuse(url, f"{text!r} is no member's address")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        _refuse(url, f"{port!r} is no port")
    return Member(host.strip("[]"), int(port))


def _refuse(url: str, reason: str) -> NoReturn:
    raise InvalidRequest(f"store {hide_password(url)}: {reason}; write it like {_EXAMPLE}")
