"""A thin client of etcd's JSON gateway: members that stand in for one another, and tokens.

What is sent may be done twice: when an answer is lost, the same request goes to the next member.
The caller is told so, and has to send nothing that a second time changes.
"""

from __future__ import annotations

import json
import os
import ssl
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.client import HTTPException
from threading import Lock
from typing import Any

from macvlan_ros.errors import StoreDown
from macvlan_ros.stores import etcd_errors as errors
from macvlan_ros.stores.access import EtcdAccess
from macvlan_ros.stores.etcd_address import EtcdAddress, Member, tls_context
from macvlan_ros.stores.etcd_errors import MemberFailed, TokenRefused
from macvlan_ros.stores.etcd_wire import Connection
from macvlan_ros.values import dataclass

# For so long, in seconds, a member that failed is asked only after the others.
_REST = 15.0
# Between two rounds over all members, while a new leader is being elected.
_PAUSE = 0.1
# So often a token is renewed for one request: rights that are being changed make some stale.
_RENEWALS = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """etcd's answer. `resent`: the request may have been done before, its answer lost."""

    answer: dict[str, Any]
    resent: bool


class EtcdClient:
    """Asks whichever member answers. For any number of threads; a fork makes its own connections.

    Raises InvalidRequest or Forbidden for files of `access` that cannot be used.
    """

    def __init__(self, address: EtcdAddress, access: EtcdAccess) -> None:
        self.address = address
        self._user = address.user or access.user
        self._password = access.secret() if self._user else ""
        self._context: ssl.SSLContext | None = tls_context(address, access)
        self._token: str | None = None
        self._token_lock = Lock()
        self._resting: dict[Member, float] = {}
        self._idle: dict[Member, deque[Connection]] = {each: deque() for each in address.members}
        self._pid = os.getpid()
        self._closed = False

    def post(self, path: str, body: Mapping[str, Any], *, deadline: float) -> Reply:
        """Ask until `deadline`, a time of the monotonic clock. Raises StoreDown, Forbidden."""
        self._notice_fork()
        data = json.dumps(body).encode()
        renewals = 0
        while True:
            token = self._current_token(deadline)
            try:
                return self._ask(path, data, token, deadline)
            except TokenRefused as refused:
                renewals += 1
                if not self._user or renewals > _RENEWALS:
                    raise errors.user_wanted(self.address, str(refused), user=self._user) from None
                self._drop_token(token)

    def stream(
        self, path: str, body: Mapping[str, Any], *, seconds: float
    ) -> Iterator[dict[str, Any]]:
        """What a member sends, message by message, for so long; then it is to be asked again.

        Ends earlier when the member does. Raises StoreDown, Forbidden when none begins.
        """
        self._notice_fork()
        deadline = time.monotonic() + seconds
        data = json.dumps(body).encode()
        heard: dict[Member, str] = {}
        for member in self._in_order():
            token = self._current_token(deadline)
            try:
                yield from self._listen(member, path, data, token, deadline)
                return
            except MemberFailed as failed:
                heard[member] = failed.said
                self._resting[member] = time.monotonic() + _REST
            except TokenRefused as refused:
                if not self._user:
                    raise errors.user_wanted(self.address, str(refused), user="") from None
                self._drop_token(token)
                heard[member] = str(refused)  # the next time with a new one
        raise errors.nobody_answers(self.address, heard)

    def _listen(
        self, member: Member, path: str, data: bytes, token: str, deadline: float
    ) -> Iterator[dict[str, Any]]:
        began = time.monotonic()
        begun = False
        connection = None
        try:
            connection = Connection(member, self._context, deadline=deadline)
            for status, line in connection.lines(path, data, token=token, deadline=deadline):
                message = errors.judge(status, line, self.address)
                if "error" in message:
                    errors.judge(500, json.dumps(message["error"]).encode(), self.address)
                begun = True
                yield dict(message.get("result") or {})
        except (OSError, HTTPException) as error:
            if begun:
                return  # it goes on with another connection, from where this one ended
            seconds = time.monotonic() - began
            raise errors.explain(error, seconds=seconds, tls=self.address.tls) from error
        finally:
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is done. Twice is fine."""
        self._closed = True
        self._close_idle()

    # -- tokens ---------------------------------------------------------------------------------

    def _current_token(self, deadline: float) -> str:
        if not self._user:
            return ""
        if not self._token_lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise errors.nobody_answers(self.address, {})
        try:
            if self._token is None:
                self._token = self._authenticate(deadline)
            return self._token
        finally:
            self._token_lock.release()

    def _drop_token(self, refused: str) -> None:
        with self._token_lock:
            if self._token == refused:
                self._token = None

    def _authenticate(self, deadline: float) -> str:
        data = json.dumps({"name": self._user, "password": self._password}).encode()
        try:
            return str(self._ask("/v3/auth/authenticate", data, "", deadline).answer["token"])
        except StoreDown as error:
            if "not enabled" in str(error):
                return ""  # an etcd without users lets everybody in
            raise

    # -- members --------------------------------------------------------------------------------

    def _ask(self, path: str, data: bytes, token: str, deadline: float) -> Reply:
        heard: dict[Member, str] = {}
        resent = False
        while True:
            hopeful = False
            members = self._in_order()
            for index, member in enumerate(members):
                now = time.monotonic()
                if now >= deadline:
                    break
                # Each of those that are left gets as much of the time that is left.
                limit = now + (deadline - now) / (len(members) - index)
                try:
                    reply = self._ask_member(member, path, data, token, limit)
                except MemberFailed as failed:
                    heard[member] = failed.said
                    self._resting[member] = time.monotonic() + _REST
                    hopeful = hopeful or failed.hopeful
                    resent = resent or failed.hopeful
                    continue
                self._resting.pop(member, None)
                return replace(reply, resent=resent or reply.resent)
            if not hopeful or time.monotonic() + _PAUSE >= deadline:
                raise errors.nobody_answers(self.address, heard)
            time.sleep(_PAUSE)

    def _in_order(self) -> list[Member]:
        """As the user wrote them, but those that failed lately last."""
        now = time.monotonic()
        rests = {member: until for member, until in self._resting.copy().items() if until > now}
        return sorted(self.address.members, key=lambda member: rests.get(member, 0.0))

    def _ask_member(
        self, member: Member, path: str, data: bytes, token: str, deadline: float
    ) -> Reply:
        began = time.monotonic()
        resent = False
        while True:
            connection = self._take_idle(member)
            kept = connection is not None
            try:
                if connection is None:
                    connection = Connection(member, self._context, deadline=deadline)
                status, text = connection.post(path, data, token=token, deadline=deadline)
            except (OSError, HTTPException) as error:
                if connection is not None:
                    connection.close()
                if kept and not isinstance(error, TimeoutError):
                    self._drop_idle(member)  # it was restarted: the others are dead as well
                    resent = True
                    continue
                raise errors.explain(
                    error, seconds=time.monotonic() - began, tls=self.address.tls
                ) from error
            self._give_back(member, connection)
            return Reply(errors.judge(status, text, self.address), resent)

    def _notice_fork(self) -> None:
        if self._pid != os.getpid():
            # Closing this side's descriptors takes nothing from the parent.
            self._close_idle()
            self._token_lock = Lock()
            self._pid = os.getpid()

    # -- connections ----------------------------------------------------------------------------

    def _take_idle(self, member: Member) -> Connection | None:
        try:
            return self._idle[member].pop()
        except IndexError:
            return None

    def _give_back(self, member: Member, connection: Connection) -> None:
        if self._closed or not connection.is_open:
            connection.close()
        else:
            self._idle[member].append(connection)

    def _drop_idle(self, member: Member) -> None:
        idle = self._idle[member]
        while idle:
            idle.pop().close()

    def _close_idle(self) -> None:
        for member in self._idle:
            self._drop_idle(member)
