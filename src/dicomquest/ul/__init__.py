"""The upper layer without I/O: state machine, timers, negotiation (PS3.8 9.2, PS3.7 Annex D)."""
