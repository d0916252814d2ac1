# mypy: ignore-errors
# rospy is in the lab's images alone
"""Two ROS 1 nodes that measure what lies between them; they run in containers of the lab.

usage: ros_node.py answer | ros_node.py measure

`measure` prints one JSON object: by message size in bytes, the median round trip in seconds and
the messages a second in one direction.
"""

import itertools
import json
import statistics
import sys
import threading
import time

import rospy
from std_msgs.msg import String

#: Message sizes, with how many go to and fro, and how many one way to take the rate.
SIZES = {1_000: (2000, 30_000), 1_000_000: (200, 400)}
WAIT = 30.0
#: A message begins with its number, or with this where no answer is wanted.
SILENT = "-" * 12
FAST = {"tcp_nodelay": True, "buff_size": 1 << 22}


def answer():
    """Sends back what comes, unless it wants no answer."""
    back = rospy.Publisher("/pong", String, queue_size=None, tcp_nodelay=True)

    def echo(message):
        if not message.data.startswith(SILENT):
            back.publish(message)

    rospy.Subscriber("/ping", String, echo, **FAST)
    rospy.spin()


class Caller:
    """Sends messages, and waits for the answer to the last one."""

    def __init__(self):
        self._numbers = itertools.count()
        self._wanted = ""
        self._came = threading.Event()
        self._ping = rospy.Publisher("/ping", String, queue_size=None, tcp_nodelay=True)
        rospy.Subscriber("/pong", String, self._hear, **FAST)

    def _hear(self, message):
        if message.data[: len(SILENT)] == self._wanted:
            self._came.set()

    def call(self, size, wait=WAIT):
        """Seconds until a message of that size is back; None when it is not in time."""
        self._came.clear()
        self._wanted = f"{next(self._numbers):0{len(SILENT)}}"
        message = String(self._wanted + "x" * (size - len(SILENT)))
        begin = time.perf_counter()
        self._ping.publish(message)
        return time.perf_counter() - begin if self._came.wait(wait) else None

    def flood(self, size, count):
        """Messages a second, until the last one is back."""
        message = String(SILENT + "x" * (size - len(SILENT)))
        begin = time.perf_counter()
        for _ in range(count):
            self._ping.publish(message)
        if self.call(size) is None:
            sys.exit("no answer")
        return count / (time.perf_counter() - begin)


def measure():
    """Prints the figures."""
    caller = Caller()
    while caller.call(100, wait=0.2) is None:
        pass  # until both ways stand
    figures = {}
    for size, (trips, count) in SIZES.items():
        times = [caller.call(size) for _ in range(trips)]
        if None in times:
            sys.exit("no answer")
        figures[size] = [statistics.median(times), caller.flood(size, count)]
    sys.stdout.write(json.dumps(figures) + "\n")


rospy.init_node("bench_" + sys.argv[1], disable_signals=True)
if sys.argv[1] == "answer":
    answer()
else:
    measure()
