"""The options of ``find`` for how a peer is asked, and for a look at what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.shared_options import setting


def charset_terms(text: str) -> str:
    """Read a character set by its defined terms, backslashes between them (PS3.3 C.12.1.1.2)."""
    from dicomquest.dataset.charset import charset_of

    if unknown := charset_of(tuple(text.split("\\"))).unknown:
        raise click.BadParameter(
            f"{' and '.join(map(repr, unknown))} is not a character set; "
            "write a defined term such as 'ISO_IR 192'"
        )
    return text


def record_key(text: str) -> bytes:
    """Read a Record Key as it is printed: the hexadecimal digits of its bytes."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no Record Key: expected its hexadecimal digits"
        ) from None


@dataclass(frozen=True, slots=True)
class AskingSettings:
    """The ways to ask and to look at the answers; each field is an option."""

    explain: bool = setting(
        False,
        "Explain the query and the answers; if nothing is found, ask on (12 queries at most) "
        "which key excludes everything.",
        is_flag=True,
    )
    show_bytes: bool = setting(
        False, "Print the identifier that is sent, byte by byte.", is_flag=True
    )
    filter_here: bool = setting(
        False, "Drop the answers that do not match the keys: some peers ignore keys.", is_flag=True
    )
    split: str | None = setting(
        None,
        "auto: ask in parts (by date, time and name) if the peer cuts its answers off.",
        type=click.Choice(["auto"]),
    )
    charset_of_peer: str | None = setting(
        None,
        "Read the answers in this character set, whatever they name, such as 'ISO_IR 192'.",
        type=charset_terms,
        metavar="TERMS",
    )
    associations: int = setting(
        4,
        "Ask for the values of a file (KEY=@FILE) over so many associations.",
        type=click.IntRange(1, 16),
        metavar="N",
    )
    page: int | None = setting(
        None,
        "Ask for so many records at a time, in a lasting order (Repository Query).",
        type=click.IntRange(1),
        metavar="N",
    )
    after: bytes | None = setting(
        None,
        "Go on after the record with this key, which an interrupted listing has printed.",
        type=record_key,
        metavar="KEY",
    )

    def model(self, named: str) -> str:
        """Return the model: records are those of Repository Query, unless another one is named."""
        name = "--page" if self.page is not None else "--after" if self.after is not None else ""
        if name and named not in {"study", "repository"}:
            raise click.UsageError(f"{name} is for Repository Query: leave -m {named} out")
        return "repository" if name else named

    def of_a_peer_alone(self) -> str:
        """Name an option that is for a peer and not for an index; empty if none is given."""
        given = {
            "--show-bytes": self.show_bytes,
            "--filter-here": self.filter_here,
            "--split": self.split,
            "--charset-of-peer": self.charset_of_peer,
            "--page": self.page is not None,
            "--after": self.after is not None,
        }
        return next((name for name, value in given.items() if value), "")
