"""One chair: what is done on all hosts of a stack, from one of them or from any other PC."""
