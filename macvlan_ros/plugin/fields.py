"""One JSON object, read field by field; every error names the call and the field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from netaddr import AddrFormatError, IPAddress, IPNetwork

from macvlan_ros.errors import InvalidRequest

__all__ = ["Fields"]

# Docker's ids are 64 hex digits, swarm's are 25 of base 36. They become part of link names and
# rows, so nothing else is let in.
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,127}\Z")


class Fields:
    """The members of one JSON object. Unknown members are passed over: newer engines add some.

    `where` is what errors name, such as "NetworkDriver.Join". A member that is null counts as
    absent, for Go sends null for an empty map. Every reader raises `InvalidRequest`.
    """

    def __init__(self, where: str, members: Mapping[str, object]) -> None:
        self.where = where
        self._members = members

    @classmethod
    def parse(cls, where: str, body: bytes, *, may_be_empty: bool = False) -> Fields:
        """Read a request's body: UTF-8 JSON, an object at the top."""
        if not body.strip():
            if may_be_empty:
                return cls(where, {})
            raise InvalidRequest(
                f"{where}: the request's body is empty; send a JSON object "
                "(Docker does this when it repeats a call that broke off: repeat the command)"
            )
        try:
            members = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"{where}: the request's body is not JSON: {error}") from error
        if not isinstance(members, dict):
            raise InvalidRequest(f"{where}: the request's body must be a JSON object")
        return cls(where, members)

    def _wrong(self, name: str, problem: str) -> InvalidRequest:
        return InvalidRequest(f"{self.where}: field {name!r} {problem}")

    def text(self, name: str, *, required: bool = False) -> str:
        """A string; "" when it is absent and not required."""
        value = self._members.get(name)
        if value is None:
            if required:
                raise self._wrong(name, "is missing")
            return ""
        if not isinstance(value, str):
            raise self._wrong(name, f"must be a string, not {_kind(value)}")
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise self._wrong(name, "holds a character that no name can have")
        if required and not value:
            raise self._wrong(name, "is empty")
        return value

    def identifier(self, name: str) -> str:
        """The id of a network or an endpoint."""
        value = self.text(name, required=True)
        if not _ID.match(value):
            raise self._wrong(name, "must be 1 to 128 letters, digits, '-', '_' or '.'")
        return value

    def flag(self, name: str) -> bool:
        """True or false; False when it is absent."""
        value = self._members.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self._wrong(name, f"must be true or false, not {_kind(value)}")
        return value

    def address(self, name: str, *, required: bool = False) -> IPAddress | None:
        """A bare address, "192.168.50.7"; None when it is absent or empty."""
        value = self.text(name, required=required)
        if not value:
            return None
        try:
            return IPAddress(value)
        except (AddrFormatError, ValueError) as error:
            raise self._wrong(name, f"must be an IP address, not {value!r}") from error

    def prefix(self, name: str) -> IPNetwork | None:
        """A prefix, or an address with its prefix length, as the host bits say; None if empty."""
        value = self.text(name)
        if not value:
            return None
        try:
            if "/" not in value:
                raise ValueError("no prefix length")
            return IPNetwork(value)
        except (AddrFormatError, ValueError) as error:
            problem = f"must be an address with its prefix length, not {value!r}"
            raise self._wrong(name, problem) from error

    def inner(self, name: str) -> Fields:
        """A nested object; an empty one when it is absent."""
        value = self._members.get(name)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self._wrong(name, f"must be an object, not {_kind(value)}")
        return Fields(f"{self.where} {name}", value)

    def inners(self, name: str) -> tuple[Fields, ...]:
        """A list of objects; an empty one when it is absent."""
        value = self._members.get(name)
        if value is None:
            value = []
        if not isinstance(value, list):
            raise self._wrong(name, f"must be a list, not {_kind(value)}")
        for member in value:
            if not isinstance(member, dict):
                raise self._wrong(name, f"must hold objects, not {_kind(member)}")
        return tuple(Fields(f"{self.where} {name}", member) for member in value)

    def texts(self) -> Mapping[str, str]:
        """All members, each of which must be a string (null counts as "")."""
        return {name: self.text(name) for name in self._members}

    def member(self, name: str) -> object:
        """A member as it is, for those whose shape is not ours to judge; None when absent."""
        return self._members.get(name)


def _kind(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    kinds |= {str: "a string", dict: "an object", type(None): "null"}
    return kinds.get(type(value), "something else")
