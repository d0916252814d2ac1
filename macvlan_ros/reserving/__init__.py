"""Reserving: which address somebody gets, and what becomes of it."""
