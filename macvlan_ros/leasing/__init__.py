"""Leases: addresses that the LAN's DHCP server is asked for."""
