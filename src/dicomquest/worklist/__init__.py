"""The worklist: entries of Scheduled Procedure Steps, read, kept and removed (PS3.4 K)."""
