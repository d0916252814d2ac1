"""A node, or the router, as ROS 2's with zenoh: takes what rmw_zenoh takes from the environment.

usage: zenoh_node.py talk | listen | route
"""

import os
import sys
import time

import zenoh


def show(sample: zenoh.Sample) -> None:
    sys.stdout.write(sample.payload.to_string() + "\n")
    sys.stdout.flush()


config = zenoh.Config()
# what rmw_zenoh's own files say of nodes and of the router
config.insert_json5("scouting/multicast/enabled", "false")
if sys.argv[1] == "route":
    time.sleep(2)  # as on a slow PC: its nodes are there before it
    config.insert_json5("mode", '"router"')
    config.insert_json5("listen/endpoints", '["tcp/0.0.0.0:7447"]')
else:
    config.insert_json5("listen/endpoints", '["tcp/127.0.0.1:0"]')
    config.insert_json5("connect/endpoints", '["tcp/127.0.0.1:7447"]')
    config.insert_json5("connect/exit_on_failure", "false")
for entry in filter(None, os.environ.get("ZENOH_CONFIG_OVERRIDE", "").split(";")):
    key, _, value = entry.partition("=")
    config.insert_json5(key, value)

with zenoh.open(config) as session:
    if sys.argv[1] == "listen":
        session.declare_subscriber("chatter", show)
    while True:
        if sys.argv[1] == "talk":
            session.put("chatter", "hello over zenoh")
        time.sleep(0.2)
