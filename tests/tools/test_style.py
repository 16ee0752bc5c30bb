"""The style check finds one breach of each rule, and nothing in a clean tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures.timing import LONG
from fixtures.tool_modules import load_tool

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "style.py"


style = load_tool("style")


def tree(files: dict[str, str]) -> Any:
    return style.Tree(tuple(style.Source(path, text) for path, text in files.items()))


def breaches(files: dict[str, str]) -> list[str]:
    return [str(breach) for breach in style.check(tree(files))]


def test_clean_tree_has_no_breach() -> None:
    files = {
        "src/dicomquest/a.py": '"""One."""\nfrom dicomquest import b\n',
        "src/dicomquest/b.py": '"""Two."""\n',
        "tests/test_a.py": 'def test_it() -> None:\n    """It is there."""\n',
    }
    assert breaches(files) == []


@pytest.mark.parametrize(
    ("path", "text", "breach"),
    [
        ("src/dicomquest/a.py", "x" * 101, "1: line of 101 characters, at most 100"),
        ("src/dicomquest/a.py", "x\n" * 501, "1: file of 501 lines, at most 500"),
        ("tests/test_a.py", "x\n" * 801, "1: file of 801 lines, at most 800"),
        ("tests/test_a.py", f"\ndef test_{'a' * 46}(): ...", "2: test name of 51 characters"),
        ("bench/a.py", '"""Whether it is."""', "1: docstring begins with 'Whether'"),
        ("bench/a.py", 'class A:\n    """How."""', "2: docstring begins with 'How'"),
        ("tools/a.py", 'def a():\n    """From it."""', "2: docstring begins with 'From'"),
        ("src/dicomquest/row_utils.py", "", "1: 'utils' in a name says nothing"),
        ("tests/common/test_a.py", "", "1: 'common' in a name says nothing"),
        ("tests/a.py", "from x.test_a import b", "1: imports from x.test_a: "),
        ("tests/a.py", "from x import test_a", "1: imports from test_a: "),
        ("tests/a.py", "import x.test_a", "1: imports from x.test_a: "),
        ("src/dicomquest/a.py", "\n# ---- Rows ----", "2: banner comment"),
    ],
)  # fmt: skip
def test_each_rule_finds_its_breach(path: str, text: str, breach: str) -> None:
    (found,) = breaches({path: text})
    assert found.startswith(f"{path}:{breach}")


@pytest.mark.parametrize(
    "text", ['"""Whatever it is."""', '"""The reason, and how."""', '"""Fromage."""']
)
def test_other_docstrings_pass(text: str) -> None:
    assert breaches({"src/dicomquest/a.py": text}) == []


def test_base_name_occurs_once() -> None:
    files = {
        "src/dicomquest/x/a.py": "",
        "src/dicomquest/y/a.py": "",
        "src/dicomquest/x/__init__.py": "",
        "src/dicomquest/y/__init__.py": "",
    }
    assert breaches(files) == [
        "src/dicomquest/x/a.py:1: base name 'a' is also that of src/dicomquest/y/a.py",
        "src/dicomquest/y/a.py:1: base name 'a' is also that of src/dicomquest/x/a.py",
    ]


@pytest.mark.parametrize(
    "back",
    [
        "from dicomquest.a import A",
        "import dicomquest.a",
        "from dicomquest import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dicomquest.a import A",
        "def late():\n    from dicomquest import a",
    ],
)
def test_circle_is_found(back: str) -> None:
    files = {
        "src/dicomquest/__init__.py": "",
        "src/dicomquest/a.py": "from dicomquest import b",
        "src/dicomquest/b.py": back,
    }
    first, second = breaches(files)
    assert first.startswith("src/dicomquest/a.py:1: imports dicomquest.b, ")
    assert second.startswith("src/dicomquest/b.py:")
    assert "imports dicomquest.a, which imports dicomquest.b again" in second


def test_each_circle_is_counted_once() -> None:
    graph = {
        "a": {"b": 1},
        "b": {"c": 1},
        "c": {"a": 1, "d": 2},
        "d": {},
        "e": {"f": 1},
        "f": {"e": 1},
    }
    assert style.circles(graph) == [["a", "b", "c"], ["e", "f"]]


def test_figures_are_those_of_the_product() -> None:
    files = tree(
        {
            "src/dicomquest/a.py": '"""What it is."""\n# why\ndef f() -> None:\n    return\n',
            "src/dicomquest/b.py": '"""Two."""\n',
            "tests/test_a.py": "def test_it(): ...\ndef test_other(): ...\n# no\n",
        }
    )
    rows = dict(style.figures(files, ["Say why", "Add the check"]))
    assert rows == {
        "file, lines: median / p90": "1 / 4",
        "function, lines: p90 / max": "2 / 2",
        "comments, % of lines": "20.0",
        "line, characters: p90 / max": "17 / 17",
        "test name, characters: median / max": "7 / 10",
        "docstrings that open with a question word": "What 1",
        "base names that occur twice": "none",
        "modules without a test file of their own": "1",
        "circles between modules": "0",
        "commit subject: median / max": "7 / 13",
    }


def test_check_fails_with_a_line_a_breach(tmp_path: Path) -> None:
    (tmp_path / "src" / "dicomquest").mkdir(parents=True)
    (tmp_path / "src" / "dicomquest" / "manager.py").write_text("x" * 101, encoding="utf-8")
    (tmp_path / "tools").mkdir()
    copy = tmp_path / "tools" / "style.py"
    copy.write_bytes(TOOL.read_bytes())
    command = [sys.executable, str(copy), "--check"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30 * LONG)
    assert answer.returncode == 1
    assert [line.partition(": ")[0] for line in answer.stdout.splitlines()] == [
        "src/dicomquest/manager.py:1"
    ] * 2
