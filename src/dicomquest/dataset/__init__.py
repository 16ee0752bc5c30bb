"""Data sets: their bytes, their text, their values (PS3.5)."""
