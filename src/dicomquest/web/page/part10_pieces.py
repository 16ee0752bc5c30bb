"""An instance as a file, in pieces: its File Meta Information, and its data set (PS3.10 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dicomquest.dataset.part10 import encode_file_meta
from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from dicomquest.store.stored_instance import StoredInstance

_PREAMBLE = b"\0" * 128 + b"DICM"


def file_pieces(stored: StoredInstance) -> Iterator[bytes]:
    """Return the bytes of a file that holds an instance as it is stored."""
    syntax = stored.transfer_syntax_uid
    implementation = (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)
    yield _PREAMBLE + encode_file_meta(
        stored.sop_class_uid, stored.sop_instance_uid, syntax, implementation=implementation
    )
    yield from stored.pieces(syntax)
