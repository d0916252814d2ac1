"""QTrobot's two PCs: hosts of the lab that have what HARMONI's stacks use."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from . import ros_image
from .host import PATH, ROOT, Host

EXAMPLE = ROOT / "examples" / "harmoni"
FURNISH = Path(__file__).with_name("furnish.sh")
HOME = "/home/qtrobot"
IMAGES = ("cmbirmingham/harmoni-lightweight:latest", "harmoniteam/lightweight:harmoni")
#: What a login on such a PC has. There is no X server to mount the sockets of.
LOGIN = {"HOME": HOME, "PATH": f"{HOME}/.local/bin:{PATH}", "HARMONI_X11": "/run/x11"}


def furnish(host: Host, *, ros: bool = False) -> None:
    """Gives a host the home, the devices, the images and the example's folder (~/harmoni).

    The images are busybox, or Debian's ROS, under HARMONI's names. `macvlan-ros` is a command
    there, as after an installation, and `docker` is Debian's.
    """
    host.run("sh", str(FURNISH))
    run_ours = f'exec {shlex.quote(sys.executable)} -m macvlan_ros "$@"'
    script = f"""
        mkdir -p {HOME}/.local/bin {HOME}/harmoni
        cp {shlex.quote(str(EXAMPLE))}/* {HOME}/harmoni
        ln -s /usr/bin/docker {HOME}/.local/bin/docker
        cd {HOME}/.local/bin
        printf '#!/bin/sh\\nexport PYTHONPATH=%s\\n%s\\n' "$1" "$2" >macvlan-ros
        chmod 755 macvlan-ros
    """
    host.run("sh", "-euc", script, "furnish", shlex.quote(str(ROOT)), run_ours)
    for image in IMAGES:
        host.import_image(image, tree=ros_image.tree() if ros else None)
