"""The errors of every layer; each says what was got, what was expected, and carries the numbers as fields."""

from __future__ import annotations


class DicomquestError(Exception):
    """The base of all errors that this package raises on purpose."""


class ProtocolError(DicomquestError):
    """Somebody broke the protocol of PS3.7 or PS3.8."""


class LocalProtocolError(ProtocolError):
    """Our own caller asked for something that the protocol forbids now (such as a request after a release)."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that the protocol forbids.

    ``reason`` is the A-ABORT reason of the service provider (PS3.8 9.3.8): 0 not specified, 1 unrecognized PDU,
    2 unexpected PDU, 4 unrecognized, 5 unexpected, 6 invalid PDU parameter value.
    """

    def __init__(self, message: str, *, reason: int = 0) -> None:
        super().__init__(message)
        self.reason = reason


class DataSetError(DicomquestError):
    """Bytes that are no data set of the transfer syntax; ``offset`` is where in the bytes, from their start."""

    def __init__(self, message: str, *, offset: int | None = None, tag: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.tag = tag


class ValueFormatError(DicomquestError):
    """A text value that its value representation does not allow (PS3.5 6.2)."""

    def __init__(self, vr: str, value: str, expected: str) -> None:
        super().__init__(f"{value!r} is no {vr} value: expected {expected}")
        self.vr = vr
        self.value = value
        self.expected = expected


class IdentifierError(DicomquestError):
    """A C-FIND identifier that cannot be answered: the final status and its two explaining fields (PS3.4 C.4.1.1.4).

    ``element`` names the offending tags, the enclosing sequence first; ``comment`` has at most 64 characters of the
    default repertoire (PS3.7 C), longer ones are cut.
    """

    def __init__(self, status: int, comment: str, element: tuple[int, ...] = ()) -> None:
        comment = comment.encode("ascii", "replace").decode("ascii").replace("\\", "/")[:64]
        super().__init__(comment)
        self.status = status
        self.element = element
        self.comment = comment


class IndexDatabaseError(DicomquestError):
    """The index cannot be opened, is of another schema version, or its database failed."""


class MissingIndexError(IndexDatabaseError):
    """There is no index, and none was to be made."""


class AssociationError(DicomquestError):
    """No association, or no answer on it: the base of what the short ways (``dicomquest.find``) raise."""


class ConnectionFailedError(AssociationError):
    """No transport connection: the host is unknown, the port closed, TLS failed, or it took too long."""


class AssociationRejectedError(AssociationError):
    """The peer answered A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    def __init__(self, message: str, *, result: int, source: int, reason: int) -> None:
        super().__init__(message)
        self.result = result
        self.source = source
        self.reason = reason


class AssociationAbortedError(AssociationError):
    """The association ended by A-ABORT, by loss of the connection, or by a time-out."""


class ContextNotAcceptedError(AssociationError):
    """The peer accepted the association, yet no presentation context for the service, or not what the query needs."""


class QueryFailedError(AssociationError):
    """The peer ended a C-FIND with a failure status; the fields are those of its response."""

    def __init__(
        self, message: str, *, status: int, comment: str = "", element: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.comment = comment
        self.element = element


class LayoutError(DicomquestError):
    """A template for the paths of received files that is none."""


class ArchiveInUseError(DicomquestError):
    """A folder that somebody else stores in, whose instances another index has."""


class StoreError(DicomquestError):
    """An instance that cannot be stored: status, comment and offending element of the response (PS3.4 B.2.3)."""

    def __init__(self, status: int, comment: str, element: tuple[int, ...] = ()) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment
        self.element = element
