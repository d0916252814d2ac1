"""The picture: who is on the LAN, on which PC, and who talks to whom."""

from macvlan_ros.picture.scene import Box, Other, Pc, Scene, Talk

__all__ = ["Box", "Other", "Pc", "Scene", "Talk"]
