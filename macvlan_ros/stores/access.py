"""What lets us into an etcd: a user with a password, and files for TLS."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from macvlan_ros.errors import Forbidden, InvalidRequest
from macvlan_ros.values import dataclass


@dataclass(frozen=True, slots=True)
class EtcdAccess:
    """All paths and names; "" is: none. `password` is never shown.

    `ca` is the certificate authority that the members' certificates are checked with ("": the
    system's own), `cert` and `key` are this PC's, for members that ask for one. PEM files.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""

    def secret(self) -> str:
        """The password, from the file if that is where it is. Raises InvalidRequest, Forbidden."""
        if self.password or not self.password_file:
            return self.password
        said = f"the password file {self.password_file} (MACVLAN_ROS_ETCD_PASSWORD_FILE)"
        try:
            found = Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except PermissionError as error:
            raise Forbidden(f"{said} cannot be read; use sudo, or let this user read it") from error
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise InvalidRequest(f"{said} cannot be used: {reason}; name another") from error
        if not found:
            raise InvalidRequest(f"{said} is empty; write the password of {self.user!r} into it")
        return found
