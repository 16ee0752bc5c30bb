"""The address of a question, and the question of an address (RFC 3986 3.4).

Keys that name a person travel in one parameter: sealed as ``k``, else as the text ``q``. The others
can be read: ``?k=Vd3…&mod=MR&date=2024``. An address of QIDO-RS (``AccessionNumber=A77``) is
understood, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from dicomquest.query.identifier.key_arguments import KeyTextError
from dicomquest.query.short_words import span
from dicomquest.web.box.box_keys import Matching
from dicomquest.web.box.box_reader import read_box
from dicomquest.web.box.box_tokens import quoted
from dicomquest.web.box.key_making import SHORT_NAMES, path_of
from dicomquest.web.box.tidy_text import tidy_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from dicomquest.web.box.box_keys import BoxKey, LookUp
    from dicomquest.web.box.reading import Reading
    from dicomquest.web.box.sealing import Sealer

SEALED, TEXT, ALL = "k", "q", "all"
"""The parameters of a sealed text, of a text, and of the question for all studies."""

READABLE = ("mod", "date", "sex", "station", "institution", "uid")
"""The keys that name nobody."""

_OWN = frozenset({SEALED, TEXT, ALL, *READABLE})


class Links:
    """Writes and reads the addresses of questions; sealed if there is a ``sealer``."""

    def __init__(self, sealer: Sealer | None = None) -> None:
        self._sealer = sealer

    @property
    def is_sealed(self) -> bool:
        """Tell whether what names a person cannot be read in an address."""
        return self._sealer is not None

    def address(self, reading: Reading, *, written_out: bool = False) -> str:
        """Return the query component of a question's address.

        Relative dates stay relative unless they are ``written_out``.
        """
        if not reading.is_answerable:
            return self._text(reading.text)
        readable: list[str] = []
        personal: list[BoxKey] = []
        moving: list[str] = []
        for key in reading.keys:
            name = SHORT_NAMES.get(key.keyword, "")
            value = _value(key, written_out=written_out)
            if name in READABLE:
                readable.append(f"{name}={_encoded(value)}")
            elif written_out and key.relative:
                moving.append(f"{name or key.keyword}:{value}")
            else:
                personal.append(key)
        text = " ".join(filter(None, [tidy_text(personal, reading.now), *moving]))
        parts = [self._text(text)] if text else []
        return "&".join([*parts, *readable]) or ALL

    def _text(self, text: str) -> str:
        if self._sealer is not None:
            return f"{SEALED}={self._sealer.seal(text)}"
        return f"{TEXT}={_encoded(text)}" if text else ALL

    def is_own(self, parameters: Iterable[tuple[str, str]]) -> bool:
        """Tell whether an address is one of ours; else the browser is sent to ours."""
        names = {name for name, _ in parameters if name in _OWN or is_key_name(name)}
        return names <= (_OWN - {TEXT} if self.is_sealed else _OWN)

    def text(self, parameters: Iterable[tuple[str, str]]) -> str | None:
        """Return the text that an address asks; None if it asks nothing.

        DeadLinkError for a text that was sealed with another key.
        """
        texts: list[str] = []
        asks = False
        for name, value in parameters:
            if name == SEALED and self._sealer is not None:
                texts.insert(0, self._sealer.open(value))
            elif name == SEALED:
                from dicomquest.web.box.sealing import DeadLinkError  # noqa: PLC0415

                raise DeadLinkError
            elif name == TEXT:
                texts.insert(0, value)
            elif name in READABLE:
                texts.append(f"{name}:{value}")
            elif is_key_name(name):
                texts.append(f"{name}:{quoted(value)}")
            elif name != ALL:
                continue
            asks = True
        return " ".join(filter(None, texts)) if asks else None

    def read(
        self,
        parameters: Iterable[tuple[str, str]],
        now: datetime,
        look_up: LookUp | None = None,
    ) -> Reading | None:
        """Return the question of an address, None if it asks nothing; errors as ``text``."""
        text = self.text(parameters)
        if text is None:
            return None
        reading = read_box(text, now, look_up)
        return reading.retold(tidy_text(reading.keys, now)) if reading.is_answerable else reading


def is_key_name(name: str) -> bool:
    """Tell whether a parameter is a key of QIDO-RS: a keyword or a tag."""
    if name.casefold() in READABLE or not (name[:1].isupper() or name[:1].isdigit()):
        return False
    try:
        path_of(name)
    except KeyTextError:
        return False
    return True


def _value(key: BoxKey, *, written_out: bool) -> str:
    if written_out and key.relative and key.matching is Matching.STANDARD:
        lower, _, upper = key.value.partition("-")
        if "-" not in key.value:
            return span(lower, lower)
        ends = [f"{each[:4]}-{each[4:6]}-{each[6:]}" if each else "" for each in (lower, upper)]
        return "..".join(ends)
    return key.text.partition(":")[2]


def _encoded(text: str) -> str:
    return quote(text, safe=",.:-_~")
