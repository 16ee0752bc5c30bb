"""The files of tests mirror the modules of the package, as tests/README.md says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PACKAGE = ROOT / "src" / "dicomquest"
ROW = re.compile(r"\| `([\w/]+\.py)` \| (.+) \| (.+) \|")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a module, the files that test it, and the reason."""

    module: str
    files: tuple[str, ...]
    reason: str


def rows() -> list[Row]:
    _, found, table = (
        (TESTS / "README.md")
        .read_text(encoding="utf-8")
        .partition("## Modules without a test file of their own")
    )
    assert found
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    matches = [ROW.fullmatch(line) for line in lines]
    assert None not in matches, [
        line for line, match in zip(lines, matches, strict=True) if not match
    ]
    return [
        Row(match[1], tuple(re.findall(r"`([^`]+)`", match[2])), match[3])
        for match in matches
        if match
    ]


def modules() -> set[str]:
    """The modules that need a test; migrations run in the tests of the database."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py") and "migrations" not in path.parts
    }


def own_file(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f"test_{path.name}")


def test_module_has_its_test_file_or_a_row() -> None:
    missing = {module for module in modules() if not own_file(module).exists()}
    assert missing - {row.module for row in rows()} == set()


def test_row_is_of_a_module_without_a_test_file() -> None:
    needless = [row.module for row in rows() if own_file(row.module).exists()]
    gone = {row.module for row in rows()} - modules()
    assert (needless, gone) == ([], set())


def test_rows_name_test_files_that_exist() -> None:
    for row in rows():
        assert row.files, row.module
        for file in row.files:
            assert Path(file).name.startswith("test_"), row.module
            assert (TESTS / file).is_file(), f"{row.module}: {file}"


def test_rows_are_sorted_and_have_a_reason() -> None:
    names = [row.module for row in rows()]
    assert names == sorted(set(names))
    assert all(len(row.reason) > 3 for row in rows())


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, and the names that it imports from them."""
    text = path.read_text(encoding="utf-8")
    # To parse the whole tree takes seconds.
    for node in ast.walk(ast.parse(text)) if "test_" in text else ():
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield node.module or ""
                yield from (alias.name for alias in node.names)
            case _:
                pass


def test_nothing_imports_from_a_file_of_tests() -> None:
    files_of_tests = {path.stem for path in TESTS.rglob("test_*.py")}
    guilty = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("tests", "tools", "bench", "fuzz", "src")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in imported(path)
        if name.rpartition(".")[2] in files_of_tests
    ]
    assert guilty == []


def test_each_folder_mirrors_a_room_or_is_explained() -> None:
    """A folder of tests that no package has stands in the first table of the page."""
    page = (TESTS / "README.md").read_text(encoding="utf-8")
    for folder in TESTS.iterdir():
        if (
            folder.is_dir()
            and folder.name != "__pycache__"
            and not (PACKAGE / folder.name).is_dir()
        ):
            assert f"`{folder.name}/`" in page, folder.name
