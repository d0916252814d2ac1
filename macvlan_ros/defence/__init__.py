"""Defence: what is reserved is answered for, and strangers on it are told of."""
