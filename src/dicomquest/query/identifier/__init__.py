"""A C-FIND identifier becomes a query, or an error with its status (PS3.4 C.4.1.1.3)."""
