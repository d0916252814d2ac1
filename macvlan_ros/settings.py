"""Settings: where the store is, which engine, which host this is; from a file and the environment.

The environment wins over the file, and a command's own option over both. The file is an INI file
with one section, `[macvlan-ros]`; it is read only when it exists.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from macvlan_ros.errors import Forbidden, InvalidRequest
from macvlan_ros.values import dataclass

if TYPE_CHECKING:
    from macvlan_ros.stores.access import EtcdAccess

DEFAULT_STORE = "sqlite:///var/lib/macvlan-ros/state.db"
DEFAULT_COPY = "/var/lib/macvlan-ros"
PROBES = ("fast", "rfc5227", "none")
ANSWERS = ("yes", "no")
DEFAULT_FILE = Path("/etc/macvlan-ros.conf")


@dataclass(frozen=True, slots=True)
class Settings:
    """What every part is made from. Empty strings mean: find it out.

    `probe` is how the LAN is asked before an address is first used: fast, rfc5227 or none.
    `shim` is whether launch and the plugin let this host and its containers reach each other: yes
    or no.
    `defend` is whether the service defends reserved addresses whose containers are down: yes or no.
    `image` is our own image, in containers of which other hosts' kernels are asked.
    What begins with `etcd_` is for a store on etcd: a user, and PEM files for TLS; `etcd_copy` is
    the folder of its local copy, or "none".
    """

    store: str = DEFAULT_STORE
    docker: str = ""
    host: str = ""
    parent: str = ""
    probe: str = "fast"
    shim: str = "yes"
    defend: str = "yes"
    image: str = "macvlan-ros"
    etcd_user: str = ""
    etcd_password: str = field(default="", repr=False)
    etcd_password_file: str = ""
    etcd_ca: str = ""
    etcd_cert: str = ""
    etcd_key: str = ""
    etcd_copy: str = DEFAULT_COPY

    @property
    def host_name(self) -> str:
        """This PC's name: as set, else the hostname up to its first dot."""
        import socket  # takes half as long to load as the shortest commands may take

        return self.host or socket.gethostname().split(".")[0]

    @property
    def access(self) -> EtcdAccess:
        """What lets us into an etcd."""
        from macvlan_ros.stores.access import EtcdAccess

        return EtcdAccess(
            user=self.etcd_user,
            password=self.etcd_password,
            password_file=self.etcd_password_file,
            ca=self.etcd_ca,
            cert=self.etcd_cert,
            key=self.etcd_key,
        )


def load(environ: Mapping[str, str] = os.environ, file: Path | None = None) -> Settings:
    """Settings of this process. Raises InvalidRequest when the file is wrong."""
    path = file or Path(environ.get("MACVLAN_ROS_CONFIG") or DEFAULT_FILE)
    found = _read(path) if path.exists() else {}
    for name in _names():
        value = environ.get(f"MACVLAN_ROS_{name.upper()}")
        if value:
            found[name] = value
    settings = replace(Settings(), **found)
    for name, value, allowed in (
        ("probe", settings.probe, PROBES),
        ("shim", settings.shim, ANSWERS),
        ("defend", settings.defend, ANSWERS),
    ):
        if value not in allowed:
            raise InvalidRequest(
                f"the setting {name} is '{value}' (in {path} or MACVLAN_ROS_{name.upper()}); it is"
                f" one of: {', '.join(allowed)}"
            )
    return settings


def is_shared(store: str) -> bool:
    """Whether other hosts may use the store of that URL, too."""
    return store.startswith(("etcd://", "etcds://"))


def _names() -> tuple[str, ...]:
    return tuple(each.name for each in fields(Settings))


def _read(path: Path) -> dict[str, str]:
    import configparser
    import difflib

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except PermissionError as error:
        raise Forbidden(f"{path} cannot be read; run: sudo chmod a+r {path}") from error
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidRequest(
            f"{path} is not a settings file: {reason.rstrip('.')}; write [macvlan-ros] and under it"
            " lines like: store = /var/lib/macvlan-ros/state.db"
        ) from error
    found: dict[str, str] = {}
    for section in parser.sections():
        if section != "macvlan-ros":
            raise InvalidRequest(f"{path}: unknown section [{section}]; use [macvlan-ros]")
        found.update(parser.items(section))
    for name in found:
        if name not in _names():
            close = difflib.get_close_matches(name, _names(), 1) or [", ".join(_names())]
            raise InvalidRequest(f"{path}: unknown setting '{name}'; did you mean: {close[0]}?")
    return found
