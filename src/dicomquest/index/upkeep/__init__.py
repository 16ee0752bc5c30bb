"""The index stays right: check, prune, removal, promotion, following folders."""
