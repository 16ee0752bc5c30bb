"""The output of ``dicomquest find``: formats, columns, and how they fit a terminal."""
