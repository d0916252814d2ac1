"""The doctor: what is wrong with this PC and its LAN, each finding with its remedy.

`examine` is the way in. It changes nothing, and a check that cannot be made is a finding, too. Each
module is a room with the checks of one subject.
"""

from macvlan_ros.doctor.examination import examine
from macvlan_ros.doctor.finding import BAD, OK, WARNING, Finding, cure

__all__ = ["BAD", "OK", "WARNING", "Finding", "cure", "examine"]
