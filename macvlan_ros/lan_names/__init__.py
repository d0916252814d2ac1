"""Names: containers, PCs and other programs know each other by name."""
