"""The names of a PC's own hosts file."""

from macvlan_ros.lan_names import host_names

FILE = """
127.0.0.1 localhost
127.0.1.1 qtpc
192.168.50.12  qtrp qtrp.local  # the Raspberry Pi
10.0.0.9\tqtrp
::1 localhost ip6-localhost
ff02::1 ip6-allnodes
0.0.0.0 blocked.example
not an address
"""


def test_the_names_of_other_machines_are_known_and_its_own_on_the_lan() -> None:
    assert host_names.known(FILE, own_name="qtpc", own="192.168.50.11") == {
        "qtrp": "192.168.50.12",
        "qtrp.local": "192.168.50.12",
        "qtpc": "192.168.50.11",
    }
    assert "qtpc" not in host_names.known(FILE, own_name="qtpc", own="")


def test_names_that_are_spoken_of_are_found_within_words() -> None:
    names = {"qtrp": "1.2.3.4", "arm": "1.2.3.5", "robot": "1.2.3.6"}
    words = ["ROS_MASTER_URI=http://qtrp:11311", "alarm", "--at", "arm", "ROS_HOSTNAME=robot"]
    assert host_names.spoken_of(names, words) == {"qtrp": "1.2.3.4", "arm": "1.2.3.5"}
    assert host_names.without(names, ["arm", "other"]) == {"qtrp": "1.2.3.4", "robot": "1.2.3.6"}
