"""`python -m macvlan_ros` is the command line."""

from macvlan_ros.cli import main

main()
