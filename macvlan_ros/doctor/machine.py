"""The doctor on the machine: a virtual one's network card drops the frames of containers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from macvlan_ros.doctor.finding import OK, WARNING, Finding
from macvlan_ros.models.links import Link
from macvlan_ros.values import dataclass

if TYPE_CHECKING:
    from macvlan_ros.app import App

_DMI = Path("/sys/class/dmi/id")


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """A maker of virtual machines: words of its DMI, and how it is told to pass foreign MACs."""

    name: str
    words: tuple[str, ...]
    remedy: str


_CLOUD = "a cloud's network passes no foreign MAC, whatever is set: use a PC on the LAN"
#: In the order in which they are looked for: a cloud's machine may be one of KVM, too.
HYPERVISORS = (
    Hypervisor("Amazon EC2", ("amazon ec2",), _CLOUD),
    Hypervisor("Google Compute Engine", ("google compute engine",), _CLOUD),
    Hypervisor("DigitalOcean", ("digitalocean",), _CLOUD),
    Hypervisor("Hetzner", ("hetzner",), _CLOUD),
    Hypervisor(
        "VMware",
        ("vmware",),
        "in its port group or virtual switch, accept promiscuous mode, forged transmits and MAC"
        " address changes",
    ),
    Hypervisor(
        "VirtualBox",
        ("virtualbox", "innotek"),
        "bridge its adapter, and set Promiscuous Mode to Allow All: VBoxManage modifyvm NAME"
        " --nicpromisc1 allow-all",
    ),
    Hypervisor(
        "Hyper-V",
        ("microsoft corporation virtual machine",),
        "on its host: Set-VMNetworkAdapter -VMName NAME -MacAddressSpoofing On",
    ),
    Hypervisor("Parallels", ("parallels",), "bridge its network adapter to the LAN"),
    Hypervisor("Xen", ("xen",), "bridge its network interface, without anti-spoofing rules"),
    Hypervisor(
        "KVM",
        ("qemu", "kvm", "openstack", "proxmox"),
        "put its card on a bridge of the host's (no NAT, no macvtap without"
        " trustGuestRxFilters='yes'), with the MAC filter off",
    ),
)


def check(_app: App, parent: Link) -> Iterator[Finding]:
    """Whether the parent is a card that a hypervisor guards."""
    found = hypervisor(_DMI)
    if found is None:
        yield Finding("machine", OK, "no virtual machine, as far as its DMI tells")
        return
    yield Finding(
        "machine",
        WARNING,
        f"this is a virtual machine of {found.name}, whose virtual switch may drop what is not from"
        f" {parent.name}'s own MAC: containers then reach nobody",
        found.remedy,
    )


def hypervisor(folder: Path) -> Hypervisor | None:
    """The hypervisor that the DMI in that folder names, None on bare metal."""
    said = " ".join(
        _read(folder / name) for name in ("sys_vendor", "product_name", "bios_vendor")
    ).lower()
    return next((one for one in HYPERVISORS if any(word in said for word in one.words)), None)


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
