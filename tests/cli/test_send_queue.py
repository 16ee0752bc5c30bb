"""Files in groups, one association each."""

from __future__ import annotations

from dicomquest.cli.send_queue import File, groups
from dicomquest.scu.outgoing import Instance

JPEG, IMPLICIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2"


def file(sop_class: str, *syntaxes: str) -> File:
    return File("path", Instance(sop_class, "1.2.3", syntaxes), 1)


def contexts(group: list[File]) -> set[tuple[str, str]]:
    return {
        (each.instance.sop_class_uid, syntax)
        for each in group
        for syntax in (*each.instance.transfer_syntaxes, IMPLICIT)
    }


def test_files_of_one_class_share_an_association() -> None:
    files = [file("1.2.1", JPEG) for _ in range(1000)]
    assert groups(files) == [files]


def test_no_group_has_too_many_contexts() -> None:
    files = [file(f"1.2.{number}", JPEG) for number in range(200)]
    found = groups(files)
    assert [each for group in found for each in group] == files
    assert all(len(contexts(group)) <= 128 for group in found)
    # Each file needs two contexts: its own syntax, and the one that every SCP takes.
    assert [len(group) for group in found] == [64, 64, 64, 8]


def test_later_file_joins_group_with_its_contexts() -> None:
    first, second, again = file("1.2.1", JPEG), file("1.2.2", JPEG), file("1.2.1", JPEG)
    assert groups([first, second, again], most=3) == [[first, again], [second]]
