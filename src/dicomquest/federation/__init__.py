"""One query to several archives, and their answers as those of one (PS3.4 C.4.1)."""
