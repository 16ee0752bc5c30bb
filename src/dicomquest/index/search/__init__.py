"""A query becomes SQL, and its rows become matches (PS3.4 C.4.1.3)."""
