"""Settings of one interface that are otherwise sysctls, set by netlink.

/proc/sys is read-only for a hardened service and inside a managed plugin; netlink asks for
CAP_NET_ADMIN only. pyroute2 reads these settings but cannot write them, so the one message
(RTM_NEWLINK with IFLA_AF_SPEC, see rtnetlink(7) and the kernel's inet_set_link_af) is built here.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from macvlan_ros.kernel.rtnetlink import LINK, attribute, change

#: The settings' numbers, IPV4_DEVCONF_* of linux/ip.h. Their meaning: the kernel's ip-sysctl.
IPV4_SETTINGS = {"rp_filter": 8, "arp_announce": 18, "arp_ignore": 19}

_RTM_NEWLINK = 16
_IFLA_AF_SPEC = 26
_IFLA_INET_CONF = 1
_IFLA_INET6_ADDR_GEN_MODE = 8
_ADDR_GEN_MODE_NONE = 1
# "net" shows the calling thread's namespace, whatever /proc this is
_IPV6_SYSCTLS = Path("/proc/sys/net/ipv6/conf")


def set_ipv4(index: int, settings: Mapping[str, int]) -> None:
    """Set some of `IPV4_SETTINGS` of the interface. Raises OSError with the kernel's reason."""
    values = b"".join(
        attribute(IPV4_SETTINGS[name], struct.pack("=I", value)) for name, value in settings.items()
    )
    _change(index, attribute(socket.AF_INET, attribute(_IFLA_INET_CONF, values)))


def refuse_automatic_ipv6(index: int, name: str) -> bool:
    """Keep the kernel from giving the interface IPv6 addresses or routes of its own accord.

    Link-local ones are off by netlink; those that a router's advertisement asks for can only be
    refused in /proc/sys: False when that is read-only. True where there is no IPv6 at all.
    Raises OSError with the kernel's reason.
    """
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, struct.pack("=B", _ADDR_GEN_MODE_NONE))
    accept_ra = _IPV6_SYSCTLS / name / "accept_ra"
    if not accept_ra.exists():
        return True
    _change(index, attribute(socket.AF_INET6, mode))
    try:
        accept_ra.write_text("0")
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        return False
    return True


def _change(index: int, family: bytes) -> None:
    link = LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    change(_RTM_NEWLINK, link + attribute(_IFLA_AF_SPEC, family))
