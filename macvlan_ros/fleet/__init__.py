"""The hosts that share a store: each is written down, and seen by the others."""
