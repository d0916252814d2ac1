"""Reaching: this host and its own containers find each other, which macvlan keeps apart."""
