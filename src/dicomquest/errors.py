"""The errors of every layer; each names the value and the remedy, with the numbers as fields.

All of them are a DicomquestError. A program that asks a peer catches AssociationError, each of
whose classes is a reason why there was no answer. Where pynetdicom raises Python's RuntimeError or
ValueError, ours is one, too.
"""

from __future__ import annotations

from collections.abc import Sequence


class DicomquestError(Exception):
    """The base of all errors that this package raises on purpose."""


class ProtocolError(DicomquestError):
    """A breach of the protocol of PS3.7 or PS3.8."""


class LocalProtocolError(ProtocolError, RuntimeError):
    """The caller asked for what the protocol forbids now, such as a request after a release."""


class MissingContextsError(LocalProtocolError, ValueError):
    """A server was to start without a presentation context that it could accept."""


class TitleError(LocalProtocolError, ValueError):
    """An AE title that no association can carry (PS3.8 9.3.2)."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that the protocol forbids.

    ``reason`` is the A-ABORT reason of the service provider (PS3.8 9.3.8): 0 not specified,
    1 unrecognized PDU, 2 unexpected PDU, 4 unrecognized PDU parameter, 5 unexpected PDU parameter,
    6 invalid PDU parameter value. ``limit`` is the limit that the peer went beyond, if it did.
    """

    def __init__(self, message: str, *, reason: int = 0, limit: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.limit = limit


class DataSetError(DicomquestError, ValueError):
    """Bytes that are no data set of the transfer syntax, or values that make none (PS3.5 7, A).

    ``offset`` counts the bytes before the fault, ``tag`` is the element; None if not known.
    ``limit`` is the limit that the data set is beyond, a field of ``dataset.limits.Limits``.
    """

    def __init__(
        self, message: str, *, offset: int | None = None, tag: int | None = None, limit: str = ""
    ) -> None:
        super().__init__(message)
        self.offset = offset
        self.tag = tag
        self.limit = limit


class ValueFormatError(DicomquestError, ValueError):
    """A text value that its value representation does not allow (PS3.5 6.2).

    ``limit`` is the limit of ``QueryOptions`` that the value is beyond.
    """

    def __init__(self, vr: str, value: str, expected: str, *, limit: str = "") -> None:
        super().__init__(f"{value!r} is no {vr} value: expected {expected}")
        self.vr = vr
        self.value = value
        self.expected = expected
        self.limit = limit


class WrittenValueError(DicomquestError, ValueError):
    """A key's value as a person wrote it that its VR does not allow, and the one to write.

    ``reason`` continues ``value``; ``perhaps`` is the value that was probably meant, "" if unknown.
    """

    def __init__(self, value: str, reason: str, perhaps: str = "") -> None:
        super().__init__(f"'{value}' {reason}.{f' Perhaps {perhaps}.' if perhaps else ''}")
        self.value = value
        self.reason = reason
        self.perhaps = perhaps


_DOTS = "..."

LONGEST_COMMENT = 64
"""Characters of an Error Comment (0000,0902), an LO (PS3.5 6.2)."""

# A text has one value, so no backslash, and no control characters (PS3.5 6.1, 6.2). The words of an
# error may have both: they become a slash and spaces.
_DEFAULT_REPERTOIRE = bytes.maketrans(bytes([*range(0x20), 0x5C, 0x7F]), b" " * 0x20 + b"/ ")


# A clause ends before these: what is left reads as a sentence.
_CLAUSES = (": ", "; ", " (")


def error_comment(message: str, brief: str = "") -> str:
    """Return a message as an Error Comment, in the default repertoire (PS3.7 C).

    ``brief`` takes the place of a message that is too long. Of one that is too long, too, clauses
    at the end are left out; dots stand for words that are missing within a clause.
    """
    texts = [_in_default_repertoire(text) for text in (message, brief) if text] or [""]
    for text in texts:
        if len(text) <= LONGEST_COMMENT:
            return text
    text = texts[0]
    ends = (text.rfind(mark, 0, LONGEST_COMMENT + 1) for mark in _CLAUSES)
    whole_clauses = text[: max(0, *ends)]
    # The first clause mostly names an attribute, which alone says nothing.
    if any(mark in whole_clauses for mark in _CLAUSES):
        return whole_clauses
    room = LONGEST_COMMENT - len(_DOTS)
    whole_words = text[: room + 1].rpartition(" ")[0].rstrip(" :,;")
    # A long word at the end, such as a UID, is worth more in part than not at all.
    return (whole_words if 2 * len(whole_words) > LONGEST_COMMENT else text[:room]) + _DOTS


def _in_default_repertoire(text: str) -> str:
    return text.encode("ascii", "replace").translate(_DEFAULT_REPERTOIRE).decode("ascii")


class IdentifierError(DicomquestError):
    """A C-FIND identifier that cannot be answered, with its final response (PS3.4 C.4.1.1.4).

    ``status`` is the status, ``element`` the offending tags with the enclosing sequence first.
    The message is whole; ``comment`` is what fits in an Error Comment, ``brief`` if that does.
    ``limit`` is the limit that the identifier is beyond, if that is the reason.
    """

    def __init__(
        self,
        status: int,
        message: str,
        element: tuple[int, ...] = (),
        *,
        limit: str = "",
        brief: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.element = element
        self.comment = error_comment(message, brief)
        self.limit = limit


class IndexDatabaseError(DicomquestError):
    """The index cannot be opened, is of another schema version, or its database failed."""


class WriteConflictError(IndexDatabaseError):
    """A transaction met the rows of another writer: it may run again while nobody else writes."""


class MissingIndexError(IndexDatabaseError):
    """No index is at the location, and none was to be made."""


class AssociationError(DicomquestError):
    """The base of all reasons why a peer gave no answer, such as ``dicomquest.find`` raises."""


class ConnectionFailedError(AssociationError):
    """No connection: the host is unknown, the port closed, TLS failed, or it took too long."""


class AssociationRejectedError(AssociationError):
    """The peer answered A-ASSOCIATE-RJ; the fields are those of PS3.8 Table 9-21."""

    def __init__(self, message: str, *, result: int, source: int, reason: int) -> None:
        super().__init__(message)
        self.result = result
        self.source = source
        self.reason = reason


class AssociationAbortedError(AssociationError):
    """The association ended by an A-ABORT, by loss of the connection, or by a time-out."""


class ContextNotAcceptedError(AssociationError, ValueError):
    """The peer accepted no presentation context for the service, or not what the query needs."""


class QueryFailedError(AssociationError):
    """The peer ended a C-FIND with a failure status; the fields are those of its response."""

    def __init__(
        self, message: str, *, status: int, comment: str = "", element: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.comment = comment
        self.element = element


class ConfigurationError(DicomquestError, ValueError):
    """A configuration file that cannot be used; ``faults`` are all that is wrong in it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class MissingPackageError(DicomquestError, ImportError):
    """A package that only some users need is not installed; the message names it."""


class LayoutError(DicomquestError):
    """A template for the paths of received files that cannot be used."""


class AccessError(DicomquestError):
    """A file of users, a key or a function that cannot be used to verify who asks."""


class MonitorError(DicomquestError):
    """Metrics, or an audit trail, that cannot be set up."""


class ArchiveInUseError(DicomquestError):
    """Another server stores in the folder, with another index."""


class StoreError(DicomquestError):
    """An instance that cannot be stored, with the fields of its response (PS3.4 B.2.3)."""

    def __init__(self, status: int, comment: str, element: tuple[int, ...] = ()) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment
        self.element = element


class StoredInstanceError(DicomquestError):
    """A stored instance that cannot be sent: its file, or the transfer syntax asked for."""


class DamagedInstanceError(StoredInstanceError):
    """A stored file that can be read, but holds no such value or frame: it is malformed or cut."""
