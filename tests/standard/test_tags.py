"""Tags in words, and private blocks (PS3.5 7.8.1)."""

import pytest

from dicomquest.standard.tags import (
    creator_tag,
    in_block,
    is_private,
    is_private_creator,
    private_tag_text,
    tag_text,
    without_block,
)


def test_tag_in_words() -> None:
    assert tag_text(0x00080005) == "(0008,0005)"
    assert private_tag_text(0x0029101A) == "(0029,xx1A)"


@pytest.mark.parametrize(
    ("tag", "private", "creator"),
    [
        (0x00100010, False, False),
        (0x0029000F, True, False),
        (0x00290010, True, True),
        (0x002900FF, True, True),
        (0x00290100, True, False),
        (0x0029101A, True, False),
    ],
)
def test_private_tags_and_their_creators(tag: int, private: bool, creator: bool) -> None:
    assert is_private(tag) is private
    assert is_private_creator(tag) is creator


def test_block_of_a_private_tag() -> None:
    assert creator_tag(0x0029E01A) == 0x002900E0
    assert without_block(0x0029E01A) == 0x0029001A
    assert in_block(0x0029001A, 0xE0) == in_block(0x0029E01A, 0xE0) == 0x0029E01A
