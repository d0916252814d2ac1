"""What can go wrong with the lab itself, as opposed to what is tested in it."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what it was asked; one sentence says why, and what to do."""


class CommandFailed(LabError):
    """A command that was run in the lab with `check=True` ended with another code than 0."""
