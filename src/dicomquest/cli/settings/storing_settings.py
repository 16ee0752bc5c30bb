"""The index of the server, and the folder that keeps received instances (PS3.4 B)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.file_rights import PRIVATE, UMASK_WORDS, octal_mask
from dicomquest.cli.shared_options import index_setting, setting

LAYOUT = (
    "{PatientID}/{StudyDate}_{StudyInstanceUID}/{Modality}_{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
)


@dataclass(frozen=True)
class StoringSettings:
    """The places of the index and of received instances."""

    index: str = index_setting()
    read_index: str | None = setting(
        None,
        "Answer queries from this replica of the index, except on associations that have stored "
        "instances.",
        metavar="URL",
    )
    store: str | None = setting(
        None,
        "Keep instances sent by C-STORE or STOW-RS in this folder, and index them.",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
    )
    store_layout: str = setting(
        LAYOUT,
        "The path of an instance in that folder, made of keywords of its attributes.",
        metavar="TEMPLATE",
        needs=("store",),
    )
    duplicates: str = setting(
        "replace",
        "For an instance that comes again: let the new one replace the old, or keep the old one.",
        type=click.Choice(["replace", "keep"]),
        needs=("store",),
    )
    umask: str = setting(PRIVATE, UMASK_WORDS, type=octal_mask, metavar="MASK")
