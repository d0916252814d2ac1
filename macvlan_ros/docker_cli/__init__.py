"""Docker's own command line: what its `run` takes, where it is, and how it is run in our place."""
