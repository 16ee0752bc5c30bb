"""A DIMSE request as the handlers of ``evt`` have it, by pynetdicom's names (PS3.7 9.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dicomquest.dimse import commands
from dicomquest.errors import DataSetError
from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

# Most programs that import this handle no request, and need none of pydicom's types.
if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID


class PresentationContextTuple(NamedTuple):
    """The accepted presentation context on which a request came."""

    context_id: int
    abstract_syntax: UID
    transfer_syntax: UID


@dataclass(frozen=True)
class Request:
    """A DIMSE request, with the names of its command elements as attributes (PS3.7 9.1).

    It has the attributes of its own service only, so ``hasattr`` tells the services apart.
    ``path`` is the file of an instance that was written to a folder.
    """

    command: commands.Request
    data_set: bytes | None
    transfer_syntax: str
    path: Path | None = None

    @property
    def _name(self) -> str:
        return commands.name_of(self.command)

    @property
    def MessageID(self) -> int:
        """The Message ID (0000,0110)."""
        return self.command.message_id

    @property
    def AffectedSOPClassUID(self) -> UID:
        """The Affected SOP Class UID (0000,0002)."""
        return as_uid(self.command.affected_sop_class_uid)

    @property
    def Priority(self) -> int | None:
        """The Priority (0000,0700): 0 medium, 1 high, 2 low; None for a request without one."""
        if isinstance(self.command, commands.CEchoRQ | commands.NormalizedRQ):
            return None
        return self.command.priority

    @property
    def Identifier(self) -> BytesIO | None:
        """The bytes of the identifier, in the context's transfer syntax; None without one."""
        return None if self.data_set is None else BytesIO(self.data_set)

    @property
    def MoveDestination(self) -> str:
        """The Move Destination (0000,0600) of a C-MOVE request, without padding."""
        if not isinstance(self.command, commands.CMoveRQ):
            raise AttributeError(f"{self._name} has no Move Destination")  # noqa: TRY004
        return self.command.move_destination.strip(" ")

    @property
    def AffectedSOPInstanceUID(self) -> UID | None:
        """The Affected SOP Instance UID (0000,1000) of a C-STORE or N-CREATE request.

        None for an N-CREATE that leaves its choice to the SCP.
        """
        if isinstance(self.command, commands.NCreateRQ):
            uid = self.command.affected_sop_instance_uid
            return as_uid(uid) if uid else None
        return as_uid(self.store.affected_sop_instance_uid)

    @property
    def RequestedSOPClassUID(self) -> UID:
        """The Requested SOP Class UID (0000,0003) of an N-SET request."""
        return as_uid(self._of(commands.NSetRQ).affected_sop_class_uid)

    @property
    def RequestedSOPInstanceUID(self) -> UID:
        """The Requested SOP Instance UID (0000,1001) of an N-SET request."""
        return as_uid(self._of(commands.NSetRQ).affected_sop_instance_uid)

    @property
    def AttributeList(self) -> BytesIO | None:
        """The bytes of the attributes of an N-CREATE request; None without any."""
        self._of(commands.NCreateRQ)
        return self.Identifier

    @property
    def ModificationList(self) -> BytesIO | None:
        """The bytes of the attributes of an N-SET request."""
        self._of(commands.NSetRQ)
        return self.Identifier

    def _of(self, kind: type[commands.NormalizedRQ]) -> commands.NormalizedRQ:
        if not isinstance(self.command, kind):
            raise AttributeError(f"{self._name} is no {kind.__name__}")  # noqa: TRY004
        return self.command

    @property
    def MoveOriginatorApplicationEntityTitle(self) -> str | None:
        """The AE that asked for this instance by C-MOVE (0000,1030); None if none is named."""
        return self.store.move_originator_application_entity_title or None

    @property
    def MoveOriginatorMessageID(self) -> int | None:
        """The Message ID of that C-MOVE (0000,1031), None without one."""
        return self.store.move_originator_message_id

    @property
    def DataSet(self) -> BytesIO:
        """The bytes of the instance of a C-STORE request, in the context's transfer syntax."""
        return BytesIO(self.instance)

    @property
    def store(self) -> commands.CStoreRQ:
        """The command of a C-STORE request; AttributeError for another one."""
        if not isinstance(self.command, commands.CStoreRQ):
            raise AttributeError(f"{self._name} has no instance")  # noqa: TRY004
        return self.command

    @property
    def instance(self) -> bytes:
        """The bytes of an instance without File Meta Information."""
        store = self.store
        if self.path is None:
            return self.data_set or b""
        with self.path.open("rb") as file:
            file.seek(len(part10_start(store, self.transfer_syntax)))
            return file.read()

    @property
    def part10(self) -> bytes:
        """An instance as a DICOM file: preamble, File Meta Information, data set (PS3.10 7.1)."""
        if self.path is not None:
            return self.path.read_bytes()
        return part10_start(self.store, self.transfer_syntax) + (self.data_set or b"")

    @property
    def file_meta(self) -> FileMetaDataset:
        """The File Meta Information for an instance, its group length 0 until it is written."""
        from pydicom.dataset import FileMetaDataset

        store = self.store
        meta = FileMetaDataset()
        meta.FileMetaInformationGroupLength = 0
        meta.FileMetaInformationVersion = b"\0\1"
        meta.MediaStorageSOPClassUID = as_uid(store.affected_sop_class_uid)
        meta.MediaStorageSOPInstanceUID = as_uid(store.affected_sop_instance_uid)
        meta.TransferSyntaxUID = as_uid(self.transfer_syntax)
        meta.ImplementationClassUID = as_uid(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        return meta

    def read_instance(self) -> Dataset:
        """Read the instance of a C-STORE request; DataSetError if it cannot be read."""
        from pydicom import dcmread

        source = BytesIO(self.part10) if self.path is None else self.path
        try:
            return dcmread(source)
        except Exception as error:
            # pydicom raises anything for bytes that are no data set.
            raise DataSetError(f"no data set of an instance ({type(error).__name__})") from error

    @property
    def attribute_list(self) -> Dataset:
        """The attributes of an N-CREATE request, decoded; DataSetError if they cannot be."""
        self._of(commands.NCreateRQ)
        return self._attributes

    @property
    def modification_list(self) -> Dataset:
        """The attributes of an N-SET request, decoded; DataSetError if they cannot be."""
        self._of(commands.NSetRQ)
        return self._attributes

    @cached_property
    def _attributes(self) -> Dataset:
        from dicomquest.dataset.codec import decode
        from dicomquest.dataset.elements import to_pydicom
        from dicomquest.dataset.limits import RESPONSE_LIMITS

        data = self.data_set or b""
        return to_pydicom(decode(data, self.transfer_syntax, limits=RESPONSE_LIMITS))

    @cached_property
    def identifier(self) -> Dataset:
        """The identifier, decoded once; DataSetError if it cannot be."""
        from dicomquest.dataset.codec import IDENTIFIER_LIMITS, decode
        from dicomquest.dataset.elements import to_pydicom

        data = self.data_set or b""
        return to_pydicom(decode(data, self.transfer_syntax, limits=IDENTIFIER_LIMITS))


def part10_start(store: commands.CStoreRQ, transfer_syntax: str) -> bytes:
    """Encode the beginning of a file for an instance, as far as its data set (PS3.10 7.1)."""
    from dicomquest.dataset.part10 import encode_file_meta

    return (
        b"\0" * 128
        + b"DICM"
        + encode_file_meta(
            store.affected_sop_class_uid,
            store.affected_sop_instance_uid,
            transfer_syntax,
            implementation=(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
        )
    )


def as_uid(text: str) -> UID:
    """Make a UID without pydicom's warning for an invalid one: peers send those."""
    from pydicom import config
    from pydicom.uid import UID

    return UID(text, config.IGNORE)
