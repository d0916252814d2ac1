"""macvlan-ros: LAN addresses of their own for ROS containers, on as many PCs as there are."""

__version__ = "0.1.0"
