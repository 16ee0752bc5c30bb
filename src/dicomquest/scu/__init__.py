"""The SCU: an association as requestor, and the requests on it (PS3.7 9.1, PS3.8 7)."""
