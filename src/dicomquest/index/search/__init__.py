"""The SQL of a query, and the cursors that its rows come from (PS3.4 C.4.1.3)."""
