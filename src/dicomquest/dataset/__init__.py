"""What crosses the wire as a data set: its bytes, its text, its values (PS3.5)."""
