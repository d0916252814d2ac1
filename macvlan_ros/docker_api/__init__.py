"""Docker's Engine API: what is asked over its socket, and what the answers mean."""
