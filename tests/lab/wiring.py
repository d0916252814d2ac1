"""How a host stands on the LAN."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wiring:
    """A host's addresses with their prefix, its MAC, its gateways; "" for what it has not."""

    address: str
    mac: str
    gateway: str
    address6: str = ""
    gateway6: str = ""

    def lines(self, link: str) -> list[str]:
        """What to tell `ip -batch` so that a link has exactly this."""
        lines = [
            f"link set {link} up",
            f"addr flush dev {link} scope global",
            f"addr add {self.address} brd + dev {link}",
        ]
        if self.gateway:
            lines.append(f"route replace default via {self.gateway} dev {link}")
        if self.address6:
            lines.append(f"addr add {self.address6} dev {link} nodad")
        if self.gateway6:
            lines.append(f"route replace default via {self.gateway6} dev {link}")
        return [line + "\n" for line in lines]


def mac_of(address: str) -> str:
    """A locally administered MAC with the IPv4 address in it, so that one sees whose it is."""
    return "52:54:" + ":".join(f"{int(part):02x}" for part in address.split("."))
