"""Fuzzers: other people's bytes, changed at random, against all that reads bytes of a peer."""
