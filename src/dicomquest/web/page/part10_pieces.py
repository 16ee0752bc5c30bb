"""An instance as a file, in pieces: its File Meta Information, and its data set (PS3.10 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from dicomquest.dataset.part10 import encode_file_meta
from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from dicomquest.store.stored_instance import StoredInstance

_PREAMBLE = b"\0" * 128 + b"DICM"


def file_head(stored: StoredInstance, syntax: str) -> bytes:
    """Return what stands before the data set in a file of a transfer syntax."""
    implementation = (IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)
    return _PREAMBLE + encode_file_meta(
        stored.sop_class_uid, stored.sop_instance_uid, syntax, implementation=implementation
    )


def file_pieces(stored: StoredInstance, syntax: str | None = None) -> Iterator[bytes]:
    """Return the bytes of a file that holds an instance, as it is stored or in a syntax.

    Blocking in another syntax. StoredInstanceError at once if it cannot be had in this one.
    """
    syntax = syntax or stored.transfer_syntax_uid
    return chain([file_head(stored, syntax)], stored.pieces(syntax))
