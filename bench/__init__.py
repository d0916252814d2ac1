"""Benchmarks: each prints figures beside a peer or a floor, taken in one run, as a ratio."""
