"""The lab: a LAN of PCs with real Docker Engines, in network namespaces of this one machine."""

from .errors import CommandFailed, LabError
from .host import Host
from .lan import Lab

__all__ = ["CommandFailed", "Host", "Lab", "LabError"]
