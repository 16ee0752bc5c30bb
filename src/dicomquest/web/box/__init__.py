"""The search box: text of people as exactly one query, and as an address (PS3.4 C.2.2.2)."""

from dicomquest.web.box.box_keys import BoxKey, Choice, LookUp, Matching, Trouble
from dicomquest.web.box.box_reader import read_box
from dicomquest.web.box.links import Links
from dicomquest.web.box.printed_lines import PrintedLine, find_line, qido_line
from dicomquest.web.box.reading import Reading

__all__ = [
    "BoxKey",
    "Choice",
    "Links",
    "LookUp",
    "Matching",
    "PrintedLine",
    "Reading",
    "Trouble",
    "find_line",
    "qido_line",
    "read_box",
]
