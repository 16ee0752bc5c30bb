"""Specific Character Set: its terms, text in and out, and the set of a response."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes

from dicomquest.dataset.charset import (
    charset_of,
    choose,
    decode_text,
    encode_text,
    extends_ascii,
    normalise_term,
    normalise_terms,
)
from dicomquest.dataset.codec import decode, encode
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.standard.character_sets import CODE_ELEMENTS, MISSPELT, SINGLE_SETS
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET
from dicomquest.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR
from strategies.dataset import (
    EXTENDED_TERMS,
    REPERTOIRES,
    characters_of,
    data_sets,
    single_byte_repertoire,
)
from vectors.text import NAMES, PROSE, TextVector

ESCAPE = "\x1b"
UNICODE = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, sys.maxunicode + 1)]))
ASCII = "".join(map(chr, range(0x20, 0x7F)))

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)


@pytest.mark.requirement("EN-023")
@pytest.mark.parametrize("vector", NAMES, ids=lambda vector: "-".join(vector.terms))
def test_name_examples_of_the_standard(vector: TextVector) -> None:
    """The Standard's examples of names decode and encode."""
    assert decode_text(vector.data, vector.terms, "PN") == vector.text
    assert encode_text(vector.text, vector.terms, "PN") == vector.data


@pytest.mark.requirement("EN-023", "EN-024")
@pytest.mark.parametrize("vector", PROSE, ids=lambda vector: "-".join(vector.terms))
def test_examples_of_long_text_decode_and_encode(vector: TextVector) -> None:
    assert decode_text(vector.data, vector.terms, "LT") == vector.text
    assert encode_text(vector.text, vector.terms, "LT") == vector.data


@pytest.mark.requirement("EN-020")
def test_vrs_affected_by_charset_are_seven() -> None:
    """The VRs that the character set affects are exactly seven."""
    assert {row.vr for row in VALUE_REPRESENTATIONS if row.charset} == {
        "SH",
        "LO",
        "UC",
        "ST",
        "LT",
        "UT",
        "PN",
    }


@pytest.mark.requirement("EN-021")
@pytest.mark.parametrize(
    "term", [row.term for row in SINGLE_SETS if row.term not in ("ISO_IR 192", "GB18030", "GBK")]
)
def test_single_byte_sets_round_trip(term: str) -> None:
    """Every character of a single-byte set survives encoding and decoding."""
    upper = single_byte_repertoire(term)
    assert len(upper) == {
        "ISO_IR 6": 0, "ISO_IR 13": 63, "ISO_IR 109": 121, "ISO_IR 126": 125, "ISO_IR 127": 83,
        "ISO_IR 138": 92, "ISO_IR 166": 119,
    }.get(term, 128)  # fmt: skip
    lower = ASCII.replace("~", "\u203e") if term == "ISO_IR 13" else ASCII
    data = encode_text(lower + upper, (term,), "LT")
    assert len(data) == len(lower + upper)
    assert decode_text(data, (term,), "LT") == lower + upper


@pytest.mark.requirement("EN-021")
@pytest.mark.parametrize(
    ("term", "size"), [("ISO_IR 192", 0x10FFFF), ("GB18030", 0x10FFFF), ("GBK", 21_000)]
)
def test_multi_byte_sets_round_trip(term: str, size: int) -> None:
    """Every character of a multi-byte set survives encoding and decoding."""
    text = UNICODE
    if term == "GBK":
        pairs = (
            bytes([first, second]) for first in range(0x81, 0xFF) for second in range(0x40, 0xFF)
        )
        text = "".join(pair.decode("gbk", "ignore") for pair in pairs)
    assert len(text) > size - 0x900
    assert decode_text(encode_text(text, (term,), "LT"), (term,), "LT") == text


@pytest.mark.requirement("EN-022")
@pytest.mark.parametrize("element", CODE_ELEMENTS, ids=lambda element: element.name)
def test_code_elements_decode_behind_their_escape(element: object) -> None:
    """Every character of a code element decodes behind its escape, and encodes."""
    assert isinstance(element, type(CODE_ELEMENTS[0]))
    text = REPERTOIRES[element.escape]
    assert len(text) >= {1: 50, 2: 6000}[element.size]
    terms = ("", element.term)
    encoded = encode_text(text, terms, "LT")
    assert decode_text(encoded, terms, "LT") == text
    if element.term != "ISO 2022 IR 6":
        assert element.escape in encoded
    # The decoder obeys an escape that nobody declared.
    assert decode_text(encoded, ("ISO 2022 IR 6", "ISO 2022 IR 100"), "LT") == text
    assert decode_text(encoded, ("ISO_IR 100",), "LT") == text


@pytest.mark.requirement("EN-022", "EN-024")
@pytest.mark.parametrize("terms", EXTENDED_TERMS, ids="-".join)
@given(data=st.data())
def test_encoding_uses_only_declared_escapes(terms: tuple[str, ...], data: st.DataObject) -> None:
    """Encoded text has only declared escapes and decodes again."""
    character = st.one_of(characters_of(terms), st.sampled_from("^=\\\r\n\t\f "))
    vr = data.draw(st.sampled_from(["PN", "LO", "LT"]))
    text = "".join(data.draw(st.lists(character, max_size=12)))
    try:
        encoded = encode_text(text, terms, vr)
    except UnicodeEncodeError:
        # Romaji has no tilde and no yen sign of its own; ISO 646 is not declared beside it.
        assert terms[0] == "ISO 2022 IR 13"
        return
    assert decode_text(encoded, terms, vr) == text
    declared = {element.escape for element in CODE_ELEMENTS if element.term in terms} | {b"\x1b(B"}
    rest = encoded
    while b"\x1b" in rest:
        rest = rest[rest.index(b"\x1b") :]
        assert any(rest.startswith(escape) for escape in declared)
        rest = rest[1:]


@pytest.mark.requirement("EN-022")
@pytest.mark.parametrize(
    ("terms", "alphabet"),
    [
        (("", "ISO 2022 IR 87"), "山田太郎やまだアイ"),
        (("ISO 2022 IR 13", "ISO 2022 IR 87"), "ﾔﾏﾀﾞ"),
        (("", "ISO 2022 IR 149"), "洪吉洞홍길동"),
        (("ISO 2022 IR 100", "ISO 2022 IR 144"), "ЛюкБ"),
    ],
)
@given(data=st.data())
def test_pydicom_reads_what_is_written(
    terms: tuple[str, ...], alphabet: str, data: st.DataObject
) -> None:
    word = st.text(st.sampled_from(alphabet), min_size=1, max_size=4)
    components = data.draw(
        st.lists(st.one_of(word, st.sampled_from(["Doe", "X"])), min_size=1, max_size=5)
    )
    text = "^".join(components)
    encodings = convert_encodings(list(terms))
    assert (
        decode_bytes(
            encode_text(text, terms, "PN"), encodings, {0x0D, 0x0A, 0x09, 0x0C, 0x5E, 0x3D}
        )
        == text
    )


@pytest.mark.requirement("EN-024")
@pytest.mark.parametrize("delimiter", ["\\", "\r\n", "\f", "\t", "^", "="])
def test_delimiter_resets_to_value_1(delimiter: str) -> None:
    """Behind a delimiter the sets of value 1 are active again."""
    terms = ("ISO 2022 IR 100", "ISO 2022 IR 144")
    data = b"\x1b-L\xbb" + delimiter.encode() + b"\xbb"
    assert decode_text(data, terms, "PN") == f"Л{delimiter}»"
    assert (
        encode_text(f"Л{delimiter}Л", terms, "PN")
        == b"\x1b-L\xbb\x1b-A" + delimiter.encode() + b"\x1b-L\xbb\x1b-A"
    )


@pytest.mark.requirement("EN-024")
@pytest.mark.parametrize(("vr", "delimiter"), [("LO", "^"), ("LO", "="), ("LT", "\\"), ("LT", "^")])
def test_non_delimiter_changes_no_set(vr: str, delimiter: str) -> None:
    data = b"\x1b-L\xbb" + delimiter.encode() + b"\xbb"
    assert decode_text(data, ("ISO 2022 IR 100", "ISO 2022 IR 144"), vr) == f"Л{delimiter}Л"


@pytest.mark.requirement("EN-024")
def test_g1_without_escape_is_declared_one() -> None:
    """G1 bytes without an escape follow the declared set: Koreans often escape once a value."""
    data = bytes.fromhex("1B242943 C8AB") + b"^" + bytes.fromhex("B1E6B5BF")
    assert decode_text(data, ("", "ISO 2022 IR 149"), "PN") == "홍^길동"


@pytest.mark.requirement("EN-025")
@pytest.mark.parametrize("byte", [0x5C, 0x5E, 0x3D, 0x2A, 0x3F])
def test_two_byte_characters_hold_no_delimiter(byte: int) -> None:
    """A byte of a two-byte character is never a delimiter."""
    lead = [bytes([byte, other]) for other in range(0x30, 0x40)]
    trail = [bytes([other, byte]) for other in range(0x30, 0x40)]
    for pair in trail if byte == 0x2A else lead + trail:  # no character begins with 2A
        character = (b"\x1b$B" + pair).decode("iso2022_jp")
        data = b"A\\\x1b$B" + pair + b"\x1b(B\\B"
        charset = b"\x08\0\x05\0CS\x10\0\\ISO 2022 IR 87 "
        encoded = charset + b"\x10\0\x10\0PN" + len(data).to_bytes(2, "little") + data
        name = Element("PN", ("A", character, "B"))
        assert decode(encoded, EXPLICIT_VR_LITTLE_ENDIAN)[0x00100010] == name
        assert (
            encode({0x00100010: name}, EXPLICIT_VR_LITTLE_ENDIAN, ("", "ISO 2022 IR 87")) == encoded
        )


@pytest.mark.requirement("EN-025", "EN-026")
@pytest.mark.parametrize(
    "element", [element for element in CODE_ELEMENTS if element.size == 2], ids=lambda row: row.term
)
def test_two_byte_characters_decode_to_no_wild_card(element: object) -> None:
    """No two-byte character decodes to a delimiter or a wild card."""
    assert isinstance(element, type(CODE_ELEMENTS[0]))
    assert not set('\\^=*?-"') & set(REPERTOIRES[element.escape])


@pytest.mark.requirement("EN-026")
@pytest.mark.parametrize("term", ["GBK", "GB18030"])
def test_chinese_values_are_split_after_decoding(term: str) -> None:
    # The trail bytes are a backslash and a circumflex.
    data = b"\x81\x5c\\\x81\x5e^\x81\x5c"
    charset = encode({0x00100010: Element("PN", ("\u4e02",))}, EXPLICIT_VR_LITTLE_ENDIAN, (term,))[
        :-10
    ]
    decoded = decode(charset + b"\x10\0\x10\0PN\x08\0" + data, EXPLICIT_VR_LITTLE_ENDIAN)
    first, second = b"\x81\x5c".decode("gbk"), b"\x81\x5e".decode("gbk")
    assert decoded[0x00100010].values == (first, f"{second}^{first}")
    assert encode_text(f"{first}\\{second}^{first}", (term,), "PN") == data


@pytest.mark.requirement("EN-030", "EN-031", "EN-032")
@given(
    data_set=data_sets,
    requested=st.sampled_from(
        [(), ("ISO_IR 100",), ("ISO_IR 13",), *EXTENDED_TERMS, ("GB18030",), ("NONSENSE",)]
    ),
)
def test_response_declares_set_that_holds_it(data_set: DataSet, requested: tuple[str, ...]) -> None:
    """A response declares a character set that holds all of its text."""
    terms = choose(data_set, requested)
    decoded = decode(encode(data_set, EXPLICIT_VR_LITTLE_ENDIAN, terms), EXPLICIT_VR_LITTLE_ENDIAN)
    declared = decoded.pop(SPECIFIC_CHARACTER_SET, None)
    assert decoded == data_set
    assert declared == (Element("CS", terms) if terms else None)
    assert terms in ((), requested, ("ISO_IR 192",))


@pytest.mark.requirement("EN-030", "EN-031")
@pytest.mark.parametrize(
    ("text", "requested", "otherwise", "terms"),
    [
        ("Doe^John", ("ISO_IR 144",), ("ISO_IR 192",), ()),
        ("Müller", ("ISO_IR 100",), ("ISO_IR 192",), ("ISO_IR 100",)),
        ("Müller", (), ("ISO_IR 192",), ("ISO_IR 192",)),
        ("Müller", ("ISO_IR 144",), ("ISO_IR 192",), ("ISO_IR 192",)),
        ("Müller", ("ISO_IR 144",), ("ISO_IR 100",), ("ISO_IR 100",)),
        ("Müller", (), ("ISO_IR 144",), ("ISO_IR 192",)),
        ("山田", ("", "ISO 2022 IR 87"), ("ISO_IR 192",), ("", "ISO 2022 IR 87")),
        ("Müller", ("ISO-IR 100",), ("ISO_IR 192",), ("ISO_IR 192",)),
        ("ÅÄ", ("", "ISO 2022 IR 87"), ("ISO_IR 192",), ("ISO_IR 192",)),
    ],
)
def test_requests_set_is_used_where_it_holds_all(
    text: str, requested: tuple[str, ...], otherwise: tuple[str, ...], terms: tuple[str, ...]
) -> None:
    """The request's character set is used where it holds the whole response."""
    inner: DataSet = {0x00100010: Element("PN", ("Roe", text))}
    assert choose({0x00081032: Element("SQ", ({}, inner))}, requested, otherwise) == terms


@pytest.mark.requirement("EN-022")
def test_nfc_change_is_undone_only_where_needed() -> None:
    """JIS X 0208 has the Angstrom sign, ISO 8859-1 the letter that NFC makes of it."""
    assert encode_text("\u3000\xc5", ("", "ISO 2022 IR 87"), "LO") == bytes.fromhex(
        "1B2442 2121 2272 1B2842"
    )
    terms = ("", "ISO 2022 IR 100", "ISO 2022 IR 87")
    assert encode_text("\u3000\xc5", terms, "LO") == bytes.fromhex("1B2442 2121 1B2D41 C5 1B2842")


def test_set_counts_only_text_that_it_affects() -> None:
    """The set of a response depends only on text that a set affects."""
    assert choose({0x00080060: Element("CS", ("CAFÉ",))}) == ()


@pytest.mark.requirement("EN-034")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ISO-IR 100", "ISO_IR 100"),
        ("ISO_IR_100", "ISO_IR 100"),
        ("ISO IR 100", "ISO_IR 100"),
        ("ISO_IR100", "ISO_IR 100"),
        ("iso_ir 100", "ISO_IR 100"),
        (" ISO_IR 192 ", "ISO_IR 192"),
        ("ISO 2022 58", "ISO 2022 IR 58"),
        ("ISO 2022-IR 87", "ISO 2022 IR 87"),
        ("ISO_2022_IR_149", "ISO 2022 IR 149"),
        ("ISO_IR 149", "ISO 2022 IR 149"),
        ("UTF-8", "ISO_IR 192"),
        ("utf8", "ISO_IR 192"),
        ("latin1", "ISO_IR 100"),
        ("gb18030", "GB18030"),
        ("ISO 2022 IR 192", "ISO_IR 192"),
        ("", ""),
        ("ISO_IR 999", None),
        ("KLINGON", None),
    ],
)
def test_misspelt_terms_are_put_right(written: str, meant: str | None) -> None:
    assert normalise_term(written) == meant


@pytest.mark.requirement("EN-034")
def test_misspellings_stand_for_defined_terms() -> None:
    """Every term that a misspelling stands for is defined."""
    defined = {row.term for row in SINGLE_SETS} | {row.term for row in CODE_ELEMENTS}
    assert set(MISSPELT.values()) <= defined
    assert all(normalise_term(wrong.lower()) == right for wrong, right in MISSPELT.items())


@pytest.mark.requirement("EN-034")
@pytest.mark.parametrize(
    ("terms", "meant"),
    [
        ((), ()),
        (("",), ()),
        (("ISO_IR 6",), ()),
        (("ISO 2022 IR 6",), ()),
        (("ISO 2022 IR 100",), ("ISO_IR 100",)),
        (("ISO_IR 100", "ISO_IR 144"), ("ISO 2022 IR 100", "ISO 2022 IR 144")),
        (("ISO_IR 192", "ISO 2022 IR 87"), ("ISO_IR 192",)),
        (("ISO_IR 100", "ISO_IR 192"), ("ISO_IR 192",)),
        (("ISO 2022 IR 149",), ("", "ISO 2022 IR 149")),
        (("", "KLINGON", "ISO 2022 IR 87"), ("", "ISO 2022 IR 87")),
        (("KLINGON",), ()),
    ],
)
def test_terms_are_read_as_they_were_meant(terms: tuple[str, ...], meant: tuple[str, ...]) -> None:
    assert normalise_terms(terms) == meant
    assert charset_of(terms).unknown == tuple(term for term in terms if term == "KLINGON")


@pytest.mark.parametrize(
    ("terms", "extends"),
    [
        (("ISO_IR 100",), True),
        (("ISO_IR 192",), True),
        (("GBK",), True),
        (("", "ISO 2022 IR 87"), True),
        (("ISO 2022 IR 100", "ISO 2022 IR 149"), True),
        (("ISO_IR 13",), False),
        (("ISO 2022 IR 13", "ISO 2022 IR 87"), False),
        (("ISO_IR 6",), False),
        (("UTF-8",), False),
        (("ISO 2022 IR 87",), False),
        ((), False),
    ],
)
def test_sets_that_extend_ascii(terms: tuple[str, ...], extends: bool) -> None:
    """A character set extends ASCII if it contains it and has one of the Standard's terms."""
    assert extends_ascii(terms) is extends


@pytest.mark.requirement("QR-052")
@pytest.mark.parametrize("requested", [("ISO_IR 13",), ("ISO 2022 IR 13", "ISO 2022 IR 87")])
def test_tilde_excludes_sets_without_it(requested: tuple[str, ...]) -> None:
    """A set without a tilde is not chosen for text that has one."""
    name = {0x00100010: Element("PN", ("\uff94\uff8f^\uff80",))}
    assert choose(name, requested) == requested
    assert choose(name | {0x00081030: Element("LO", ("A~B",))}, requested) == ("ISO_IR 192",)
    assert choose({0x00081030: Element("LO", ("A~B",))}, requested) == ()


@pytest.mark.requirement("EN-055")
@given(
    data=st.binary(max_size=60),
    terms=st.sampled_from([*EXTENDED_TERMS, ("GB18030",), ("ISO_IR 13",), ("ISO_IR 100",)]),
)
@pytest.mark.parametrize("vr", ["PN", "LO", "LT"])
def test_any_bytes_decode_where_replacing_is_allowed(
    vr: str, data: bytes, terms: tuple[str, ...]
) -> None:
    text = decode_text(data, terms, vr, "replace")
    assert VR[vr].charset
    try:
        assert decode_text(data, terms, vr) == text
    except UnicodeDecodeError:
        is_shift_jis = terms == ("ISO_IR 13",) and text == data.decode("shift_jis", "replace")
        assert "\ufffd" in text or is_shift_jis


@pytest.mark.parametrize("data", [b"\x1b$)Z", b"\x1b", b"A\x1b$", b"\x1b$B0", b"\x1b$)C\xb1"])
def test_broken_escapes_and_half_characters_are_seen(data: bytes) -> None:
    """Broken escapes and halves of characters are noticed."""
    with pytest.raises(UnicodeDecodeError):
        decode_text(data, ("", "ISO 2022 IR 87", "ISO 2022 IR 149"))
    assert "\ufffd" in decode_text(data, ("", "ISO 2022 IR 87", "ISO 2022 IR 149"), "LO", "replace")


@pytest.mark.parametrize(
    ("text", "vr"), [("山田^太郎", "PN"), ("表ｱ", "LO"), ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", "PN")]
)
def test_kanji_in_katakana_is_shift_jis(text: str, vr: str) -> None:
    """Bytes that JIS X 0201 leaves undefined are Shift JIS, and remarked on."""
    data = text.encode("shift_jis")
    with pytest.raises(UnicodeDecodeError):
        decode_text(data, ("ISO_IR 13",), vr)
    assert decode_text(data, ("ISO_IR 13",), vr, "replace") == text


@pytest.mark.parametrize("spelling", ["ISO-8859-{}", "iso8859_{}", "ISO 8859 {}", "ISO_8859-{}"])
@pytest.mark.parametrize("part", [*range(1, 12), 13, 15, 16])
def test_parts_of_iso_8859_in_any_spelling(spelling: str, part: int) -> None:
    codec = "tis_620" if part == 11 else f"iso8859_{part}"
    data = bytes(range(0xA1, 0x100))
    text = decode_text(data, (spelling.format(part),), "LT", "replace")
    assert text == data.decode(codec, "replace")


def test_response_never_names_a_set_without_a_term() -> None:
    assert normalise_terms(("ISO-8859-13",)) == ()
    assert not extends_ascii(("ISO 8859-13",))
