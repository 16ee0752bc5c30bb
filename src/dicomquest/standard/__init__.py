"""Facts of the Standard as tables, one row a fact (PS3.4 C, PS3.6, PS3.7 C)."""
