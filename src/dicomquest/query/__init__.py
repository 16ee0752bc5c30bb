"""The meaning of C-FIND identifiers, apart from any database (PS3.4 C.2.2, C.4.1)."""
