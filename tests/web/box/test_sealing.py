from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomquest.errors import ConfigurationError
from dicomquest.web.box import Links, read_box
from dicomquest.web.box.sealing import KEY_BYTES, DeadLinkError, Sealer, read_key

NOW = datetime(2026, 11, 28, tzinfo=UTC)
KEY, OTHER = bytes(range(64)), bytes(range(1, 65))


@given(st.text())
def test_a_sealed_text_opens_again(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    sealed = Sealer(KEY).seal(text)
    assert Sealer(KEY).open(sealed) == text
    assert Sealer(KEY).seal(text) == sealed


WORDS = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=5, max_size=12), min_size=1, max_size=4
)


@settings(max_examples=50)
@given(words=WORDS, number=st.integers(10**6, 10**9))
def test_a_sealed_address_holds_no_word_of_it(words: list[str], number: int) -> None:
    links = Links(Sealer(KEY))
    reading = read_box(f"{' '.join(words)} id:{number} 2024", NOW)
    address = links.address(reading)
    for each in (*words, str(number)):
        assert each not in unquote(address)
    again = links.read(parse_qsl(address), NOW)
    assert again is not None
    assert again.keys == reading.keys


def test_a_sealed_text_tells_its_length_in_steps() -> None:
    sealer = Sealer(KEY)
    assert len({len(sealer.seal("x" * count)) for count in range(32)}) == 1
    assert len(sealer.seal("x" * 32)) > len(sealer.seal("x" * 31))


@settings(max_examples=50)
@given(st.text() | st.text("ABCDEFabcdef-_=", max_size=200))
def test_letters_that_nobody_sealed_are_a_dead_link(letters: str) -> None:
    with pytest.raises(DeadLinkError, match="made with an older key: ask again"):
        Sealer(KEY).open(letters)


def test_another_key_makes_a_link_dead() -> None:
    sealed = Sealer(KEY).seal("citizen")
    for letters, key in ((sealed, OTHER), ("A" + sealed[1:], KEY), (sealed[:-1], KEY)):
        with pytest.raises(DeadLinkError):
            Sealer(key).open(letters)


def test_the_key_file_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    key = read_key(path)
    assert len(key) == KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path) == key
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_that_is_none_names_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="remove the file"):
        read_key(path)
    path.write_bytes(KEY)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_key(path)
    with pytest.raises(ConfigurationError, match="cannot be made"):
        read_key(tmp_path / "nowhere" / "links.key")
