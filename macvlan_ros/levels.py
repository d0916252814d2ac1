"""Levels: how bad it is what a check found, in ascending order."""

OK, WARNING, BAD = "ok", "warning", "bad"
