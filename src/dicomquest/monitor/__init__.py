"""Observers of a server: metrics, the audit trail of PS3.15 A.5, slow queries."""
