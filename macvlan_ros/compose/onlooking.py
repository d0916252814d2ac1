"""Looking on while another program starts containers: each is met as soon as it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from macvlan_ros.docker_cli.passing import Child
from macvlan_ros.errors import MacvlanRosError
from macvlan_ros.models.networks import Network
from macvlan_ros.news import News

if TYPE_CHECKING:
    from macvlan_ros.app import App
    from macvlan_ros.docker_api.attached import Attached

_OFTEN, _SELDOM = 0.1, 1.0
#: Seconds without anything new after which it is looked seldom.
_QUIET = 10.0


class Onlooker:
    """Sees to the containers of one network as they come."""

    def __init__(self, app: App, network: Network) -> None:
        self._app = app
        self._network = network
        self._known: tuple[Attached, ...] = app.engine.attached(network.id)
        self._news = News()

    def attend(self, child: Child) -> None:
        """Called beside the other program while it runs."""
        last = time.monotonic()
        while True:
            over = child.ended.is_set()
            if self._look():
                last = time.monotonic()
            if over:
                return
            child.ended.wait(_OFTEN if time.monotonic() - last < _QUIET else _SELDOM)

    def _look(self) -> bool:
        """Meet those that are new; whether there were any."""
        app = self._app
        try:
            before = {one.endpoint for one in self._known}
            self._known = app.engine.attached(self._network.id, known=self._known)
            new = [one.name for one in self._known if one.endpoint not in before]
            if new and app.far:
                app.attend(self._network, new)
            elif new and (app.settings.shim == "no" or app.reach.objection(self._network)):
                for name in new:
                    app.reach.welcome(self._network, name, shim=None)
            elif new:
                for text in app.reach.up(self._network, announce=new, fresh=False).refused:
                    self._say(text)
        except MacvlanRosError as error:
            self._say(str(error))
            return False
        return bool(new)

    def _say(self, text: str) -> None:
        if self._news.is_new(text):
            self._app.note(text)
