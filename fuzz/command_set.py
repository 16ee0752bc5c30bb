"""Invariant: any bytes are a command, or RemoteProtocolError; a command that may be sent survives.

A command that ``encode_command`` takes is the same after decoding again (PS3.7 6.3).
"""

from __future__ import annotations

from dicomquest.dimse.command_sets import decode_command, encode_command
from dicomquest.errors import LocalProtocolError, RemoteProtocolError


def check(data: bytes) -> None:
    """Decode the bytes; encode what they are, and decode that again."""
    try:
        command = decode_command(data)
    except RemoteProtocolError:
        return
    try:
        again = encode_command(command)
    except (LocalProtocolError, UnicodeEncodeError):
        return
    # Text loses what no command set may hold, but only once.
    assert encode_command(decode_command(again)) == again
