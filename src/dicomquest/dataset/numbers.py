"""One canonical text for each number, of strings and binary VRs (PS3.5 6.2; PS3.4 C.2.2.2.1).

The index compares numbers as texts: a float would lose the digits of a DS and of 64-bit integers.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?", re.ASCII)

# FD reaches 1E308, and a DS has 16 bytes. A greater exponent would only write zeros without end.
_LARGEST_EXPONENT = 400
_LONGEST_TEXT = 400


def canonical_number(text: str) -> str | None:
    """Return the canonical text: ``007`` is ``7``, ``1.50E1`` is ``15``; None if no number."""
    text = text.strip(" \0")
    match = _NUMBER.fullmatch(text)
    if match is None or len(text) > _LONGEST_TEXT:
        return None
    sign, whole, fraction, exponent_text = match[1], match[2], match[3] or "", match[4]
    if not whole and not fraction:
        return None
    if exponent_text is not None:
        if len(exponent_text) > 6:
            return None
        exponent = int(exponent_text)
        if abs(exponent) > _LARGEST_EXPONENT:
            return None
        if exponent > 0:
            fraction = fraction.ljust(exponent, "0")
            whole, fraction = whole + fraction[:exponent], fraction[exponent:]
        elif exponent < 0:
            whole = whole.rjust(-exponent, "0")
            whole, fraction = whole[:exponent], whole[exponent:] + fraction
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    if not whole and not fraction:
        return "0"
    number = f"{whole or '0'}.{fraction}" if fraction else whole
    return f"-{number}" if sign == "-" else number
