"""Stores: where reservations live."""
