"""The index behind other people's servers."""
