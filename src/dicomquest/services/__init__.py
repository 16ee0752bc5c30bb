"""The services of an SCP, and the parts of them that an SCU needs too (PS3.4 A, B, C)."""
