"""Output: what values look like in tables and in JSON."""
