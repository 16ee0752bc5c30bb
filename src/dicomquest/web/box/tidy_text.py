"""The shortest text that has the keys of a question, for the search box and for addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomquest.web.box.box_keys import Matching
from dicomquest.web.box.box_reader import read_box
from dicomquest.web.box.reading import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dicomquest.web.box.box_keys import BoxKey


def tidy_text(keys: Sequence[BoxKey], now: datetime) -> str:
    """Return the text of keys: ``citizen MR 2024``; with names where it would mean others."""
    bare = " ".join(map(_bare, keys))
    wanted = in_order(keys)
    if read_box(bare, now).keys == wanted and read_box(bare, now).is_answerable:
        return bare
    # One key at a time: the others keep their short form.
    texts = [key.text for key in keys]
    for at, key in enumerate(keys):
        short = _bare(key)
        tried = " ".join([*texts[:at], short, *texts[at + 1 :]])
        read = read_box(tried, now)
        if read.is_answerable and read.keys == wanted:
            texts[at] = short
    return " ".join(texts)


def _bare(key: BoxKey) -> str:
    """Return what people type for a key; another key may look the same."""
    value = key.text.partition(":")[2]
    match key.keyword:
        case "PatientName" if key.matching in {Matching.WORDS, Matching.SOUND}:
            mark = "~" if key.matching is Matching.SOUND else ""
            return " ".join(f"{mark}{word}" for word in key.value.split())
        case "PatientName" if key.matching is Matching.STANDARD and value.startswith('"'):
            return value[1:-1]
        case "PatientName" if key.matching in {Matching.STANDARD, Matching.PHRASE}:
            return value
        case "ModalitiesInStudy" if key.matching is not Matching.EMPTY:
            return value.replace(",", " ")
        case "StudyDate" if key.matching is not Matching.EMPTY:
            return (key.relative or value).replace("-", " " if key.relative else "-")
        case "StudyInstanceUID":
            return value
        case "StudyDescription" if key.matching is Matching.PHRASE:
            return value
        case _:
            return key.text
