"""``dicomquest get`` and ``move``: from the keys to files in their places (PS3.4 C.4)."""
