"""The VR of an attribute whose bytes do not say it: implicit VR, and UN (PS3.5 6.2.2; PS3.6)."""

from __future__ import annotations

import re
from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, keyword_dict, private_dictionary_VR

from dicomquest.dataset.remembering import is_short, remembered
from dicomquest.standard.vr import DICTIONARY_CHOICES, VR

US_OR_SS = "US or SS"
"""The one choice that a decoder can make: Pixel Representation tells (PS3.3 C.7.6.3.1)."""


def _known(vr: str) -> str | None:
    return vr if vr in VR or vr == US_OR_SS else DICTIONARY_CHOICES.get(vr)


# Built from pydicom's table itself: a look-up for each of 5,000 tags takes 10 ms of every start.
_VRS = {tag: _known(row[0]) for tag, row in DicomDictionary.items()}


IMPLICIT_CODES = {
    tag: vr.encode("ascii")
    for tag, vr in _VRS.items()
    if vr is not None and vr != US_OR_SS and not VR[vr].long_form
}
"""The VR of each standard attribute that has one of the short form, as explicit VR writes it.

So implicit VR takes the same quick way through the decoder as explicit VR.
"""


def standard_vr(tag: int) -> str | None:
    """Return the dictionary's VR of a standard attribute, ``US or SS`` among them; None if none."""
    try:
        return _VRS[tag]
    except KeyError:
        return _repeating_vr(tag)


def has_several_values(tag: int) -> bool:
    """Tell whether an attribute may have more than one value (its VM); False if it is unknown."""
    row = DicomDictionary.get(tag)
    return row is not None and row[1] != "1"


def close_keywords(keyword: str) -> list[str]:
    """Return up to three keywords of the dictionary that somebody may have meant, closest first.

    A keyword in other letters, or the attribute's name in words, is meant alone.
    """
    from difflib import get_close_matches  # noqa: PLC0415  for mistakes only

    by_folded = {known.casefold(): known for known in keyword_dict}
    letters = re.sub(r"'s\b|[^a-z0-9]", "", keyword.casefold())
    if letters in by_folded:
        return [by_folded[letters]]
    close = get_close_matches(keyword.casefold(), by_folded, n=3, cutoff=0.75)
    return [by_folded[folded] for folded in close]


@remembered(4096, lambda _tag, creator: is_short(creator))
def private_vr(tag: int, creator: str) -> str | None:
    """Return the VR of a private element if pydicom's dictionary lists its creator, else None.

    The cache is bounded, as peers name the creators.
    """
    try:
        return _known(private_dictionary_VR(tag, creator))
    except KeyError:
        return None


@lru_cache(maxsize=1024)
def _repeating_vr(tag: int) -> str | None:
    """Return the VR of an attribute of repeating groups, such as overlays (60xx,eeee)."""
    try:
        return _known(dictionary_VR(tag))
    except KeyError:
        return None
