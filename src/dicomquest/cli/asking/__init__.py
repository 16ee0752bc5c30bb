"""Questions to a peer and its answers: read, reviewed, filtered, asked in parts (PS3.4 C.4.1.2)."""
