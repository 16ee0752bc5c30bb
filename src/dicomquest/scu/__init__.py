"""The SCU: an association as requestor, and what it sends (PS3.7 7, PS3.8 7)."""
