"""DIMSE without I/O: command sets, fragments, and operations (PS3.7, PS3.8 Annex E)."""
