"""Files and received instances become rows (PS3.4 C.3.1)."""
