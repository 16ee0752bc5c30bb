"""Expressions that make the results of known layouts, as Python source (PS3.5 6.2, PS3.18 F.2).

They are generated from headers alone: a VR is a row of our table, a name is eight hexadecimal
digits made of the tag's number, and all else is written here. The peer chooses which tags there
are, and can put nothing else into the code: values are its arguments.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, assert_never

from pydicom.dataelem import RawDataElement

from dicomquest.dataset.charset import FALLBACK
from dicomquest.dataset.element_headers import Header
from dicomquest.dataset.elements import Element, element_to_json, pydicom_element
from dicomquest.dataset.learned_layouts import Column, Values, function_of
from dicomquest.dataset.unread_dataset import unread
from dicomquest.dataset.value_fields import (
    RemarkKind,
    Remarks,
    Scope,
    ValueReader,
    inner_scope,
    scope_of,
)
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET


class _NoRemarks(Remarks):
    """Remarks that nobody reads: the SCU does not report on the responses of a peer."""

    def add(self, tag: int, kind: RemarkKind, text: str = "") -> None:
        """Keep nothing."""


_READER = ValueReader("<", FALLBACK, _NoRemarks())
_DEFAULT_SCOPE = scope_of(())


@lru_cache(maxsize=64)
def charset_element(value: bytes) -> tuple[Element, Scope]:
    """Return Specific Character Set and its scope; the responses of a query have one or two."""
    element = _READER.element(SPECIFIC_CHARACTER_SET, "CS", value, _DEFAULT_SCOPE)
    return element, inner_scope(_DEFAULT_SCOPE, element, Remarks())


def value_element(vr: str, value: bytes, charset: bytes) -> Element:
    """Return the element of a value field; ``charset`` is the value of Specific Character Set."""
    return _READER.element(0, vr, value, charset_element(charset)[1])


_remembered = lru_cache(maxsize=1024)(value_element)
"""The same for short values: modalities, and the name that all studies of a patient have."""


def json_expression(columns: Sequence[Column[Header]]) -> tuple[str, dict[str, Any]]:
    r"""Return the expression that makes the object of a layout's values.

    Values are text of one character a byte. It is one dictionary display, which takes half the time
    of a loop::

        {'00080020': {'vr': 'DA', 'Value': [v0]},
         '00081030': ({'vr': 'LO', 'Value': [t]} if (t := v1.strip(' \0')) else {'vr': 'LO'}), ...}

    """
    attributes = []
    names: dict[str, Any] = {"other": _other_json, "single": _single_text}
    charset = "''"
    for number, column in enumerate(columns):
        header, value = column.meaning, f"v{number}"
        empty = f"{{'vr': '{header.vr}'}}"
        filled = f"{{'vr': '{header.vr}', 'Value': [%s]}}"
        if column.is_name:
            filled %= "{'Alphabetic': %s}"
        stripped = rf"(t := {value}.strip(' \0'))"
        other = f"other('{header.vr}', {value}, {charset})"
        match column.values:
            case Values.FIXED:
                made = filled % value if column.length else empty
            case Values.PLAIN:
                made = f"{filled % 't'} if {stripped} else {empty}"
            case Values.CONSTANT:
                names["terms"] = _other_json(header.vr, column.constant.decode("latin-1"), "")
                made = (
                    "{**terms, 'Value': [*terms['Value']]}"
                    if column.constant.strip(b" \0")
                    else empty
                )
            case Values.ANY:
                plain = r"'\\' not in t"
                plain += " and '=' not in t" if column.is_name else ""
                if column.is_coded:
                    plain += r" and t.isascii() and '\x1b' not in t"
                    plain = f"({plain} or (t := single('{header.vr}', {value}, {charset})))"
                made = f"{empty} if not {stripped} else {filled % 't'} if {plain} else {other}"
            case _:
                assert_never(column.values)
        attributes.append(f"'{header.name}': ({made})")
        if header.tag == SPECIFIC_CHARACTER_SET:
            charset = value
    return f"{{{', '.join(attributes)}}}", names


def _other_json(vr: str, value: str, charset: str) -> dict[str, Any]:
    # The element is remembered, its JSON is not: the caller may change the object that it gets.
    return element_to_json(_remembered(vr, value.encode("latin-1"), charset.encode("latin-1")))


@lru_cache(maxsize=1024)
def _single_text(vr: str, value: str, charset: str) -> str | None:
    """Return the text of a value field that is a single one, and no name of several groups."""
    values = value_element(vr, value.encode("latin-1"), charset.encode("latin-1")).values
    text: str = values[0] if len(values) == 1 else ""
    return None if vr == "PN" and "=" in text else text or None


def json_text_expression(columns: Sequence[Column[Header]]) -> tuple[str, dict[str, Any]]:
    r"""Return the expression that makes the text of the same object, without making the object.

    It joins constant text and values, which need no escapes::

        join(('{"00080020":{"vr":"DA","Value":["', v0, '"]},"00081030":{"vr":"LO"', ...))
    """
    # Constant text and expressions in turn, beginning and ending with text.
    texts, made = ["{"], []
    charset = "''"
    for number, column in enumerate(columns):
        header, value = column.meaning, f"v{number}"
        before, after = ('{"Alphabetic":"', '"}') if column.is_name else ('"', '"')
        before, after = f',"Value":[{before}', f"{after}]"
        stripped = rf"(t := {value}.strip(' \0'))"
        texts[-1] += f'{"," if number else ""}"{header.name}":'
        opening = f'{{"vr":"{header.vr}"'
        match column.values:
            case Values.FIXED if column.length:
                texts[-1] += opening + before
                made.append(value)
                texts.append(after + "}")
            case Values.FIXED:
                texts[-1] += opening + "}"
            case Values.PLAIN:
                texts[-1] += opening
                made.append(f"({before!r} + t + {after!r} if {stripped} else '')")
                texts.append("}")
            case Values.CONSTANT:
                texts[-1] += _json_text(header.vr, column.constant.decode("latin-1"), "")
            case Values.ANY:
                plain = r"""'\\' not in t and '"' not in t and t.isascii() and '\x1b' not in t"""
                plain += " and '=' not in t" if column.is_name else ""
                made.append(
                    f"({opening + before!r} + t + {after + '}'!r} if {stripped} and {plain}"
                    f" else other('{header.vr}', {value}, {charset}))"
                )
                texts.append("")
            case _:
                assert_never(column.values)
        if header.tag == SPECIFIC_CHARACTER_SET:
            charset = value
    texts[-1] += "}"
    pieces = [repr(texts[0])]
    for expression, text in zip(made, texts[1:], strict=True):
        pieces += [expression, repr(text)]
    return f"join(({', '.join(pieces)},))", {"join": "".join, "other": _json_text}


@lru_cache(maxsize=1024)
def _json_text(vr: str, value: str, charset: str) -> str:
    element = value_element(vr, value.encode("latin-1"), charset.encode("latin-1"))
    return json_text(element_to_json(element))


def json_text(value: dict[str, Any]) -> str:
    """Return an object as JSON on one line, without spaces between its parts."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pydicom_expression(columns: Sequence[Column[Header]]) -> tuple[str, dict[str, Any]]:
    r"""Return the expression that makes the Dataset of a layout's values.

    It is one dictionary display, as in ``json_expression``, and generated from headers alone::

        dataset({t[0]: raw(Raw, (t[0], 'DA', len(v0), v0, 0, ...)) if not v0 or fits[0](v0)
            else element(t[0], other('DA', v0, b'')), ...})
    """
    elements = []
    charset = "b''"
    for number, column in enumerate(columns):
        header, key, value = column.meaning, f"t[{number}]", f"v{number}"
        is_stripped = column.values is Values.FIXED
        strip = value if is_stripped else rf"(x := {value}.strip(b' \0'))"
        text = value if is_stripped else "x"
        raw = f"raw(Raw, ({key}, '{header.vr}', len({text}), {text}, 0, False, True, True, False))"
        other = f"element({key}, other('{header.vr}', {value}, {charset}))"
        if column.values is Values.CONSTANT:
            made, charset = f"element({key}, charset({value})[0])", value
        elif header.is_read_by_pydicom is None:
            made = other
        else:
            made = f"{raw} if not {strip} or fits[{number}]({text}) else {other}"
        elements.append(f"{key}: ({made})")
    names: dict[str, Any] = {
        "Raw": RawDataElement,
        "raw": tuple.__new__,
        "t": tuple(column.meaning.base_tag for column in columns),
        "fits": tuple(column.meaning.is_read_by_pydicom for column in columns),
        "element": pydicom_element,
        "charset": charset_element,
        "other": _remembered,
    }
    make = function_of(columns, f"{{{', '.join(elements)}}}", names, bytes)
    return "unread(make, groups)", {"unread": unread, "make": make}
