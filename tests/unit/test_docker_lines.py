"""`docker run` lines of the kinds that robots' repositories have, cut down to their flags."""

import shlex
from pathlib import Path

import pytest
from netaddr import IPAddress

from macvlan_ros import stack as stacks
from macvlan_ros.docker_cli.flags import KnownFlags
from macvlan_ros.docker_cli.importing import imported
from macvlan_ros.docker_cli.parsing import parse, render
from macvlan_ros.docker_cli.prefixes import after_run
from macvlan_ros.docker_cli.rewriting import on_lan, with_ros
from macvlan_ros.models.containers import Attachment
from macvlan_ros.stack.adding import add_to_file

LINES = r"""
docker run -it --env=DISPLAY=:0 --env="QT_X11_NO_MITSHM=1" --net=host --privileged bio_lab
docker run -it --rm -e DISPLAY -v ~/.Xauthority:/root/.Xauthority -v ./ros_ws/:/ws noetic bash
docker run -it --rm --net=host --env="DISPLAY" -v .:/ws rbx1_py
docker run --runtime nvidia -it --gpus all --shm-size=2g --device-cgroup-rule='c 189:* rmw' fusion
docker run -d --runtime=nvidia --network=host --env ROS_MASTER_URI=http://nvidia:11311 jetson/imu
docker run --gpus all -ti --mount type=bind,source=./src,target=/root/ws/src -m=8g --name test img
docker run -v="/tmp/.gazebo/:/root/.gazebo/" --rm -it -p 11345:11345 -p 11311:11311 gym /bin/bash
docker run -it --privileged=true --cap-add=CAP_SYS_ADMIN --ipc=host -v /dev/input:/dev/input dogros
docker run --rm -it --name vesc --privileged -v "/dev/:/dev" -v "`pwd`":/src -ti vesc-img bash
docker run -p 2368:2368/udp --entrypoint '/startup.sh' --device /dev/imu:/dev/imu:mwr orange_ros2
sudo docker run -p 80:80 --security-opt seccomp=unconfined --device=/dev/ttyUSB0 humble
docker run -it --rm --user ubuntu --ipc=host --uts=host --device-cgroup-rule='c *:* rmw' ros_2
docker run -it --ulimit memlock=-1 --device=/dev/dri:/dev/dri --device=/dev/shm:/dev/shm arl bash
docker run --cap-add SYS_NICE --cap-add CAP_IPC_LOCK --ulimit rtprio=99 --ulimit rttime=-1 bench
docker run --device=/dev/input/js0 -i -t --entrypoint /bin/bash --network host reg.example:8080/a:1
docker run --rm -it --net=rosnet --name slam --env ROS_HOSTNAME=slam -e TURTLEBOT3_MODEL=burger tb
docker run --hostname pilot -it --add-host pilot:127.0.0.1 --add-host sim:192.168.0.134 pilot bash
docker run -itd --restart=unless-stopped --name="tank" -v /dev:/dev/ tank ros2 launch rpi rpi.py
docker run -it -d --gpus=all -e ROS_HOSTNAME="localhost" -e ROS_MASTER_URI="http://localhost:1" a1
docker run --rm -it --user 1000:1000 -w /ws --group-add video -e HOME=/tmp cam ros2 run cam node
docker run --tty --interactive --network host --dns=1.1.1.1 --env DISPLAY nvidia-ros2:0.3
docker run -it -v cache:/root/.ros -v /anonymous ros:noetic
docker run --mount type=volume,source=ws,target=/ws --mount type=tmpfs,destination=/run noetic
docker run --gpus '"device=0,2"' --device /dev/snd r1
docker run --gpus 'all,"capabilities=compute,utility,graphics"' -e NVIDIA_VISIBLE_DEVICES=all r1
docker run --runtime=nvidia --device nvidia.com/gpu=all l4t
docker run --entrypoint "" noetic bash -lc "source /opt/ros/noetic/setup.bash && roslaunch a b"
docker container run -itd -h robot -u root --log-opt max-size=10m --log-opt max-file=3 bot:v1
nvidia-docker run -it --net=host kinetic
docker run --cpuset-cpus=0-3 --cpus 2 --memory=4g --memory-swap=-1 --pids-limit -1 noetic
docker run --add-host=host.docker.internal:host-gateway --pid=host --init --stop-timeout 5 foxglove
docker run -v /a:/b:rw,z -v /c:/d:ro,Z -v /e:/f:cached -v /g:/h:rslave -v k:/k:nocopy noetic
docker run --network name=rosnet,ip=172.18.3.5,alias=core,mac-address=02:00:00:00:00:01 noetic
docker run --network=rosnet:alias=core noetic
docker run --tmpfs /run:size=64m --tmpfs /tmp --read-only --sysctl net.core.somaxconn=1024 noetic
docker run --health-cmd 'rostopic list || exit 1' --health-interval=5s --health-retries 3 noetic
docker run --env-file ./robot.env -e ROS_DOMAIN_ID=7 --label a=b --label lonely humble
docker run --volumes-from other --link rosmaster:master --expose 11311 noetic
docker run --restart on-failure:3 --pull=always --platform linux/arm64 -P --quiet ros@sha256:e3b0
docker run --security-opt apparmor=unconfined --security-opt label=disable --cap-drop ALL noetic
docker run --device-read-bps /dev/sda:1mb --annotation a=b --cgroupns=host noetic
docker run -itw/root -eA=1 -eB --name xy noetic -it --name y
docker run --detach --stop-signal SIGINT --ip 192.168.50.200 --mac-address 02:42:ac:11:00:02 noetic
docker run -e "MSG=say 'hi' to \$USER" -e EMPTY= -e "JSON={\"a\": 1}" -e N=1e3 -e Y=yes noetic
docker run --device=/dev/ttyACM0:/dev/ttyUSB0 --device /dev/null:r noetic sh -c 'echo $HOME # x'
docker run --dns-search lan --dns-opt ndots:1 --domainname lan --shm-size 1073741824 noetic
podman run -it --gpus all --cap-add=SYS_PTRACE -v /home:/home -v /tmp:/tmp ros2:latest bash
""".replace("`pwd`", "$PWD").strip()
EACH = pytest.mark.parametrize("line", LINES.splitlines())
#: What `run` may take out of a line.
TAKEN = ("network", "ip", "ip6", "mac-address", "publish", "publish-all")


@EACH
def test_launch_reads_what_import_writes(line: str, tmp_path: Path) -> None:
    (tmp_path / "robot.env").write_text("A=b\n")
    words = after_run(shlex.split(line))
    done = imported(parse(words, KnownFlags(lambda: "")))
    path = tmp_path / "compose.yaml"
    assert add_to_file(path, done.name, done.service, more=done.sections)
    stack = stacks.load([path], environ={"HOME": "/root"})
    command = done.service.get("command")
    assert stack.services[done.name].command == (None if command is None else tuple(command))
    assert stack.notes == ()


@EACH
def test_run_hands_on_everything_but_the_network(line: str) -> None:
    before = parse(after_run(shlex.split(line)), KnownFlags(lambda: ""))
    place = Attachment("ros_lan", IPAddress("192.168.50.195"), "02:42:00:00:00:c3")
    placed = on_lan(before, name="talker", place=place, labels={}).line
    after = with_ros(
        placed, name="talker", address=place.address, master=None, image={}, environ={}
    ).line
    assert (after.image, after.command) == (before.image, before.command)
    kept = [one for one in before.options if one.name not in TAKEN and "ROS_" not in str(one.value)]
    assert [one for one in after.options if one in kept] == kept
    again = parse([*render(after.options), after.image, *after.command], KnownFlags(lambda: ""))
    assert [(one.name, one.value) for one in again.options] == [
        (one.name, one.value) for one in after.options
    ]
