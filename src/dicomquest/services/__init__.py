"""What an SCP answers, and what both sides need for it that is no protocol (PS3.4 A, C)."""
