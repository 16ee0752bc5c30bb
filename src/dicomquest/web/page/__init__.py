"""The page to search with, at the root of the web services; rendered by the server."""
