"""Damage: what was read is not what was written."""


class Undecodable(ValueError):
    """What was read is not what any version of macvlan-ros writes."""
