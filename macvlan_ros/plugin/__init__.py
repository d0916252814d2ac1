"""The Docker plugin: libnetwork's remote network and IPAM drivers over the same core."""
