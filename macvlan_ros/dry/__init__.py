"""Dry runs: commands do what they do, on a copy of the store and an engine that only listens."""
