"""Verify: whether a stack works, proven from where its containers are.

`verify` is the way in. Nothing is needed in the images: sockets are opened in the containers'
network namespaces, from outside. It changes nothing unless it is told to clean.
"""

from macvlan_ros.verify.check import BAD, OK, WARNING, Check
from macvlan_ros.verify.summary import summarize
from macvlan_ros.verify.verifying import Wishes, verify

__all__ = ["BAD", "OK", "WARNING", "Check", "Wishes", "summarize", "verify"]
