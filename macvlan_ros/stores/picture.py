"""The picture: a thread of the service that keeps the local copy as etcd is, by watching it.

First all is read, then etcd says what changes, from the next revision on. Each watch lasts some
seconds only and the next one begins where it ended, so that a member that is cut off from the
others, or a connection that died without a word, is noticed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.news import News
from macvlan_ros.stores import etcd_kv as kv
from macvlan_ros.stores.copied import CopiedStore
from macvlan_ros.stores.etcd_errors import damaged
from macvlan_ros.stores.etcd_kv import Entry
from macvlan_ros.stores.etcd_seen import Seen
from macvlan_ros.stores.settling import refresh

__all__ = ["Picture"]

log = logging.getLogger("macvlan_ros.plugin")

_WATCH = "/v3/watch"
# A watch lasts so long, in seconds; after trouble the next try comes so much later.
_LASTS = 10.0
_PAUSE = 2.0
# Reading all of a large store takes a while, and nobody waits for it.
_PATIENCE = 30.0


class Compacted(Exception):
    """etcd has forgotten the revisions that were asked for: all is to be read again."""


class Picture:
    """Keeps the copy of `store` current from `start` to `stop`."""

    def __init__(self, store: CopiedStore, *, lasts: float = _LASTS, pause: float = _PAUSE) -> None:
        self._store = store
        self._lasts = lasts
        self._pause = pause
        self._stopping = threading.Event()
        self._news = News()

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._run, name="macvlan-ros picture", daemon=True).start()

    def stop(self) -> None:
        """End at the next message; nobody waits for it."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow(self._read_all())
            except Compacted:
                continue
            except MacvlanRosError as error:
                self._say(error)
                self._stopping.wait(self._pause)

    def _say(self, error: MacvlanRosError) -> None:
        """Each trouble once."""
        kind = type(error).__name__
        if self._news.is_new(kind, about="etcd"):
            log.warning("call=- outcome=%s detail=%r", kind, str(error))

    def _read_all(self) -> int:
        self._store.settle(patience=_PATIENCE)
        revision = refresh(
            self._store.space, self._store.file, deadline=time.monotonic() + _PATIENCE
        )
        self._news.over("etcd")
        return revision

    def _follow(self, revision: int) -> None:
        """Take in what happens after that revision. Raises Compacted, StoreDown, Forbidden."""
        space, prefix = self._store.space, self._store.space.prefix
        while not self._stopping.is_set():
            body = kv.watching(prefix, revision + 1)
            for message in space.client.stream(_WATCH, body, seconds=self._lasts):
                if self._stopping.is_set():
                    return
                if message.get("canceled"):
                    raise Compacted
                revision = max(revision, self._take(message))
            # A member that the others cannot reach sends nothing, and cannot answer this either.
            reached = self._ask_revision()
            self._store.settle(patience=_PATIENCE)
            if reached >= revision:
                self._store.file.mark_current()

    def _ask_revision(self) -> int:
        space = self._store.space
        deadline = time.monotonic() + _PATIENCE
        return space.read([kv.get(space.pools_key)], deadline=deadline).revision

    def _take(self, message: Mapping[str, Any]) -> int:
        """Take in one message's events; the revision of the last one, 0 without any."""
        try:
            events = kv.read_events(message)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(self._store.space.address, f"what etcd sent: {error!r}") from error
        revisions = sorted({entry.modified for entry, _ in events})
        for at in revisions:
            self._store.file.take(_seen(kv.cluster_of(message), at, events))
        return max(revisions, default=0)


def _seen(cluster: str, at: int, events: Sequence[tuple[Entry, bool]]) -> Seen:
    then = [(entry, stands) for entry, stands in events if entry.modified == at]
    return Seen(
        cluster,
        at,
        tuple(entry for entry, stands in then if stands),
        tuple(entry.key for entry, stands in then if not stands),
    )
