"""Compose side by side: the real one on the same stack, with addresses on the LAN."""
