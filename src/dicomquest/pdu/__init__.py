"""PDUs and their items as values and as bytes: pure functions (PS3.8 9.3, Annex D)."""
