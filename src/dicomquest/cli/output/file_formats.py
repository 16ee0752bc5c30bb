"""A DICOM file per match (PS3.10), and XML of all matches (PS3.19 A.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dicomquest.cli.output.page import Page
from dicomquest.escaping import escaped
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet

_UID = re.compile(r"(?=.{1,64}\Z)\d+(?:\.\d+)+")


def write_xml(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write one document: a NativeDicomModel per match, within the element Matches."""
    from dicomquest.dataset.native_xml import to_native_xml

    page.write('<?xml version="1.0" encoding="UTF-8"?>\n<Matches>\n')
    try:
        for match in matches:
            text = to_native_xml(match)
            page.write((escaped(text) if page.is_terminal else text) + "\n")
    finally:
        page.write("</Matches>\n")
    return ()


def write_files(matches: Iterable[DataSet], page: Page) -> tuple[()]:
    """Write a DICOM file per match into a folder, named by its UID, else by its number."""
    assert page.folder is not None  # noqa: S101
    page.folder.mkdir(parents=True, exist_ok=True)
    written: set[str] = set()
    tag = UNIQUE_KEYS[page.level].tag
    for number, match in enumerate(matches, 1):
        element = match.get(tag)
        text = element.values[0] if element is not None and element.values else ""
        # The peer chose the text: only a UID becomes the name of a file.
        uid = text if _UID.fullmatch(text) and page.level is not Level.PATIENT else ""
        name = uid or f"match-{number:06}"
        if name in written:
            name = f"{name}-{number:06}"
        written.add(name)
        _write_file(page.folder / f"{name}.dcm", match, uid)
    return ()


def _write_file(path: Path, match: DataSet, uid: str) -> None:
    from pydicom.uid import generate_uid

    from dicomquest.dataset.charset import choose
    from dicomquest.dataset.encoder import encode
    from dicomquest.dataset.part10 import encode_file_meta
    from dicomquest.pdu.user_information import (
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
    )
    from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
    from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN

    content = {tag: each for tag, each in match.items() if tag != SPECIFIC_CHARACTER_SET}
    meta = encode_file_meta(
        STUDY_ROOT.uid,
        uid or generate_uid(prefix=None),
        EXPLICIT_VR_LITTLE_ENDIAN,
        implementation=(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME),
        source_ae_title="DICOMQUEST",
    )
    data = encode(content, EXPLICIT_VR_LITTLE_ENDIAN, choose(content))
    path.write_bytes(b"\0" * 128 + b"DICM" + meta + data)
