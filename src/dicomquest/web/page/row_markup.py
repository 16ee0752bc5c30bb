"""The rows of a list as markup: a hundred a time, so no template writes them (HTML 4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicomquest.web.page.hits import Hits
    from dicomquest.web.page.shown_values import ShownName
    from dicomquest.web.page.study_rows import StudyRow

COLUMNS = 14
"""The columns on a wide screen, which shows all."""


@dataclass(frozen=True, slots=True)
class RowMarkup:
    """The writer of rows: the marks of the question, and the addresses that open and close one.

    ``offset`` are the rows of the list before these, None if nobody has counted them. Only rows
    that are not ``is_narrow`` have the columns of a wide screen.
    """

    hits: Hits
    offset: int | None
    open_href: str
    close_href: str = ""
    opened_uid: str = ""
    is_narrow: bool = False

    def row(self, row: StudyRow, number: int) -> str:
        """Return the row of a study; ``number`` counts from 1. Nothing stands between cells."""
        uid, called = escape(row.uid), escape(row.name.main or "no name")
        at = "" if self.offset is None else f' aria-rowindex="{self.offset + number + 1}"'
        is_open = row.uid == self.opened_uid
        href = escape(self.close_href if is_open else f"{self.open_href}{row.uid}")
        shared = warning = ""
        if row.names_of_id > 1:
            words = f"ID shared by {row.names_of_id} names"
            shared = f'<span class="narrow-only shared">{words}</span>'
            warning = (
                f' <span class="shared" title="{words}"><span aria-hidden="true">\u26a0</span>'
                f'<span class="unseen">{words}</span></span>'
            )
        cells = [
            ("id", _value(row.patient_id) + warning),
            ("born", _value(row.born)),
            ("date", _value(row.date) or '<span class="dim none">no date</span>'),
            ("time", _value(row.time)),
            ("mod", _modalities(row)),
            ("desc", f"{self._description(row)}{_held(row)}"),
            ("num", f"{row.series:,}/{row.images:,}"),
            ("acc", _value(row.accession)),
        ]
        if not self.is_narrow:
            cells += [
                ("ref", _name(row.referring) if row.referring.main else ""),
                ("sta", _value(row.station)),
                ("rec", row.received),
                ("uid", uid),
            ]
        return (
            f'<tr role="row" class="study" id="s-{uid}"{at} data-uid="{uid}">'
            f'<td role="cell" class="tick"><label><input type="checkbox" name="uid" value="{uid}" '
            f'form="picked" aria-label="Tick {called}, {escape(row.date) or "no date"}"></label>'
            f'</td><th role="rowheader" scope="row" class="patient"><a role="button" '
            f'class="opener" aria-expanded="{"true" if is_open else "false"}" '
            f'href="{href}#s-{uid}" aria-label="{"Close" if is_open else "Open"} the study of '
            f'{called}"></a><a class="who" href="/studies/{uid}">'
            f"{_name(row.name, self.hits)}</a>{shared}</th>"
            + "".join([f'<td role="cell" class="{name}">{text}</td>' for name, text in cells])
            + "</tr>\n"
        )

    def _description(self, row: StudyRow) -> str:
        marked = self.hits.in_text(row.description)
        return _isolated(row.description, marked, row.description_language)


def _held(row: StudyRow) -> str:
    """Return the line of the archives that hold a study; "" if only one is asked."""
    if not row.holders:
        return ""
    return f'<span class="held dim">in {escape(", ".join(row.holders))}</span>'


def _value(text: str) -> str:
    return _isolated(text, escape(text))


def _isolated(text: str, markup: str, language: str = "") -> str:
    """Return the markup of a text that does not move its neighbours.

    ASCII runs from left to right, as the page does, so most rows need no elements for that.
    """
    if text.isascii():
        return markup
    spoken = f' lang="{language}"' if language else ""
    return f'<bdi dir="auto"{spoken}>{markup}</bdi>'


def _modalities(row: StudyRow) -> str:
    images, reports = escape(" ".join(row.modalities)), escape(" ".join(row.reports))
    return f'{images} <span class="dim">{reports}</span>' if reports else images


def _name(shown: ShownName, hits: Hits | None = None) -> str:
    if not shown.main:
        return '<span class="dim none">no name</span>'
    main = hits.in_name(shown.main) if hits else escape(shown.main)
    spoken = f' lang="{shown.language}"' if shown.language else ""
    found = f'<bdi dir="auto" class="name"{spoken}>{main}</bdi>'
    if shown.below:
        below = hits.in_name(shown.below) if hits else escape(shown.below)
        spoken = f' lang="{shown.below_language}"' if shown.below_language else ""
        found += f' <bdi dir="auto" class="below dim"{spoken}>{below}</bdi>'
    return found
