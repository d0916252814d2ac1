"""Chaos: PCs of the lab on which everything fails in turn, while containers come and go.

`make chaos` runs it for as long as you like; tests/e2e/test_chaos.py is a short one. What happens
is chosen by a seed, and printed; how the threads of the PCs interleave is not.
"""
