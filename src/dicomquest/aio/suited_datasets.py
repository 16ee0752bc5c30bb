"""A handler's Dataset in a transfer syntax that the peer accepted (PS3.4 C.4.2, C.4.3, B.2).

A Dataset goes the way of a stored instance: its values stay, compressed pixels are decoded where
the peer takes nothing else.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicomquest.dataset.part10 import encode_file_meta
from dicomquest.errors import DataSetError, StoredInstanceError
from dicomquest.pdu.user_information import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomquest.scu.outgoing import CONVERTIBLE, encoded
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.store.stored_instance import StoredInstance, reachable


def suited(instance: Dataset, accepted: Collection[str]) -> Dataset:
    """Return an instance that can be sent in an accepted transfer syntax, itself if it can.

    Itself, too, if nothing helps: sending it says why. DataSetError if it cannot be re-encoded.
    """
    named = getattr(getattr(instance, "file_meta", None), "TransferSyntaxUID", None)
    own = str(named or EXPLICIT_VR_LITTLE_ENDIAN)
    easy = CONVERTIBLE if own in CONVERTIBLE else (own,)
    target = next((each for each in reachable(own) if each in accepted), None)
    if target is None or any(each in accepted for each in easy):
        return instance
    try:
        return _reencoded(instance, own, target)
    except (DataSetError, StoredInstanceError) as error:
        raise DataSetError(str(error)) from error
    except Exception as error:
        # pydicom raises anything for values that it cannot write, with patient data in its words.
        words = f"a value cannot be brought to {UID(target).name} ({type(error).__name__})"
        raise DataSetError(words) from error


def _reencoded(instance: Dataset, own: str, target: str) -> Dataset:
    uid = str(instance.SOPInstanceUID)
    with tempfile.TemporaryFile() as file:
        file.write(_beginning(instance, own) + encoded(instance, own))
        file.flush()
        with StoredInstance(uid, os.dup(file.fileno())) as stored:
            data = b"".join(stored.pieces(target))
    return dcmread(BytesIO(_beginning(instance, target) + data))


def _beginning(instance: Dataset, transfer_syntax: str) -> bytes:
    """Return all of a file up to its data set."""
    meta = encode_file_meta(
        str(instance.SOPClassUID),
        str(instance.SOPInstanceUID),
        transfer_syntax,
        implementation=(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
    )
    return bytes(128) + b"DICM" + meta
