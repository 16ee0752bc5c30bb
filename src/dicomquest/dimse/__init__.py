"""DIMSE messages without I/O: command sets, fragments, and the operations of an association (PS3.7, PS3.8 E)."""
