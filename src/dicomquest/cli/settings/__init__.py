"""The settings of the server by topic: each field is an option, a variable, a key of the file."""
