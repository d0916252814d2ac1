#!/bin/sh
# Says where it is, and waits.
trap 'exit 0' TERM
echo "$ROBOT_NAME logs from $ROS_IP to $STORAGE"
while :; do sleep 3600 & wait $!; done
