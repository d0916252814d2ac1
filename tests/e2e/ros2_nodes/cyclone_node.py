"""A node as ROS 2's with Cyclone DDS: takes its domain and its configuration from the environment.

usage: cyclone_node.py talk | listen
"""

import os
import sys
import time
from dataclasses import dataclass

from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic


@dataclass
class Message(IdlStruct):  # type: ignore[misc]  # its types are not there
    text: str


participant = DomainParticipant(int(os.environ.get("ROS_DOMAIN_ID", "0")))
topic = Topic(participant, "chatter", Message)
if sys.argv[1] == "talk":
    writer = DataWriter(participant, topic)
    while True:
        writer.write(Message("hello over DDS"))
        time.sleep(0.2)
reader = DataReader(participant, topic)
while True:
    for message in reader.take(10):
        sys.stdout.write(message.text + "\n")
        sys.stdout.flush()
    time.sleep(0.1)
