"""Launching: what a launch does for each container, and what else is done with a stack."""
