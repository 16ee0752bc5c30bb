"""The archive: an instance's file and its index entry, both or neither (PS3.10 7)."""
