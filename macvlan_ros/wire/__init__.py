"""The wire: who is on the LAN, asked with frames."""
