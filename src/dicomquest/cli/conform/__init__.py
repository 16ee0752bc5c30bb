"""A black-box checker of C-FIND SCPs: it learns what a peer holds, and asks what it then knows."""
