"""Text in cells of a terminal: its width, padded and cut (Unicode Standard Annex 11)."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells


def width_of(text: str) -> int:
    """Return the number of cells; a Chinese, Japanese or Korean character takes two."""
    return len(text) if text.isascii() else cell_len(text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text up with blanks, on its left if it stands on the right."""
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def cut(text: str, width: int, mark: str) -> str:
    """Shorten a text to this width, with ``mark`` in place of what is missing."""
    if width_of(text) <= width:
        return text
    room = width - len(mark)
    if room <= 0:
        return mark[:width]
    kept = text[:room] if text.isascii() else chop_cells(text, room)[0]
    return kept.rstrip(" ^") + mark


def wrapped(text: str, width: int) -> list[str]:
    """Break a text at blanks into lines of this width; a longer word stays whole."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and width_of(line) + 1 + width_of(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
