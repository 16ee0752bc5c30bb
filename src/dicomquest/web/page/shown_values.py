"""Stored values as the page shows them: names by groups, dates, times, sizes (PS3.5 6.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_INERT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_LONGEST = 400
_IMAGES_LAST = frozenset({"SR", "PR", "KO", "SEG", "DOC", "REG"})


def inert(text: str) -> str:
    """Return a text of one line: control and bidi characters become U+FFFD, the rest stays."""
    clean = _INERT.sub("\ufffd", text.replace("\n", " ").replace("\r", " ").replace("\t", " "))
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}…"


def language(text: str, han: str = "ja") -> str:
    """Return the language whose glyphs a text needs; "" for none."""
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    return han if _HAN.search(text) else ""


@dataclass(frozen=True, slots=True)
class ShownName:
    """A name to be shown: the main group, and below it another one; ``raw`` is as stored."""

    main: str = ""
    below: str = ""
    language: str = ""
    raw: str = ""
    below_language: str = ""


def shown_name(raw: str, *, han: str = "ja", alphabetic_first: bool = False) -> ShownName:
    """Return a name of up to three component groups as it is shown."""
    if not raw.strip("^= "):
        return ShownName()
    alphabetic, ideographic, phonetic = (*raw.split("=", 2), "", "")[:3]
    alphabetic = _alphabetic(alphabetic)
    phonetic = " ".join(part for part in phonetic.split("^") if part)
    if ideographic.strip("^ "):
        main = inert(" ".join(part for part in ideographic.split("^") if part))
        spoken = inert(alphabetic or phonetic)
        if alphabetic_first and alphabetic:
            return ShownName(spoken, main, "", inert(raw), language(main, han))
        return ShownName(main, spoken, language(main, han), inert(raw))
    main = inert(alphabetic or phonetic)
    return ShownName(main, "", language(main, han), inert(raw))


def _alphabetic(group: str) -> str:
    family, given, middle, prefix, suffix = (
        part.strip() for part in (*group.split("^"), "", "", "", "", "")[:5]
    )
    first = " ".join(part for part in (given, middle) if part)
    name = ", ".join(part for part in (family, first) if part)
    return " ".join(part for part in (prefix, name, suffix) if part)


def shown_date(text: str) -> str:
    """Return a stored date as 2024-03-05; as it is if it is none."""
    if len(text) == 8 and text.isascii() and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if re.fullmatch(r"\d{4}\.\d\d\.\d\d", text):
        return text.replace(".", "-")
    return inert(text)


def shown_time(text: str) -> str:
    """Return a stored time as 10:11; as it is if it is none."""
    digits = text.replace(":", "")
    return (
        f"{digits[:2]}:{digits[2:4]}" if re.fullmatch(r"\d{4,6}(\.\d+)?", digits) else inert(text)
    )


def shown_size(size: int) -> str:
    """Return a number of bytes as 218 MB."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB", "GB"):
        size_in = size / 1000 ** (("kB", "MB", "GB").index(unit) + 1)
        if size_in < 999.5 or unit == "GB":
            return f"{size_in:.2g} {unit}" if size_in < 10 else f"{size_in:,.0f} {unit}"
    return ""


def modalities_in_order(values: list[str]) -> tuple[list[str], list[str]]:
    """Return the modalities of images, and those of reports and the like."""
    images = [each for each in values if each not in _IMAGES_LAST]
    return images, [each for each in values if each in _IMAGES_LAST]


def age(born: str, at: str) -> str:
    """Return the age in years at a date, both as stored; "" if one of them is no date."""
    if not (re.fullmatch(r"\d{8}", born) and re.fullmatch(r"\d{8}", at)):
        return ""
    years = int(at[:4]) - int(born[:4]) - (at[4:] < born[4:])
    return f"{years} years" if 0 <= years < 130 else ""
