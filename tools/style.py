"""Print the style figures of the tree, or check the rules of CONTRIBUTING.md (``--check``)."""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("src", "tests", "tools", "bench", "fuzz")

LINE_LIMIT = 100
TEST_NAME_LIMIT = 50
SUBJECT_LIMIT = 72
# About 400 is the rule; a file that tells one thing in one piece may go a little beyond.
FILE_LIMIT = 500
# A file of tests is a list: it has more lines than what it tests, and is read one test at a time.
TEST_FILE_LIMIT = 800

OPENINGS = ("What", "Whether", "Where", "How", "Who", "From", "When")
VAGUE_NAMES = ("utils", "helpers", "common", "manager", "misc")
# pynetdicom's names stand for themselves: association, events.
UNIQUE_EXCEPT = ("__init__", "association", "events")

OPENING = re.compile(rf"(?:{'|'.join(OPENINGS)})\b", re.IGNORECASE)
BANNER = re.compile(r"\s*#.*([-=#*~_])\1{2,}\s*$|\s*#\s*([-=#*~_])\2{2,}")


@dataclass(frozen=True)
class Source:
    """A Python file of the tree; ``path`` is relative to the root, with slashes."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.path)

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods, nested ones too."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [node for node in ast.walk(self.tree) if isinstance(node, kinds)]

    @property
    def stem(self) -> str:
        """The base name without its suffix."""
        return Path(self.path).stem

    @property
    def module(self) -> str:
        """The dotted name of a module below src/; a package's is that of its folder."""
        return (
            self.path.removeprefix("src/")
            .removesuffix(".py")
            .replace("/", ".")
            .removesuffix(".__init__")
        )

    @property
    def docstrings(self) -> Iterator[tuple[int, str]]:
        """Each docstring of the module, its classes, functions and attributes, with its line."""
        for node in ast.walk(self.tree):
            body = node.body if isinstance(node, ast.Module | ast.ClassDef) else []
            for before, after in pairwise(body):
                if isinstance(before, ast.Assign | ast.AnnAssign) and (found := _text(after)):
                    yield after.lineno, found
            if isinstance(
                node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            ) and (text := ast.get_docstring(node)):
                yield node.body[0].lineno, text


def _text(node: ast.stmt) -> str:
    """Return the text of a statement that is nothing but a text."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return str(node.value.value) if isinstance(node.value.value, str) else ""
    return ""


@dataclass(frozen=True, slots=True)
class Breach:
    """One place that breaks one rule."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Tree:
    """The Python files of a checkout."""

    sources: tuple[Source, ...]

    @classmethod
    def read(cls, root: Path) -> Tree:
        """Read the files below each of PARTS."""
        return cls(
            tuple(
                Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
                for part in PARTS
                for path in sorted((root / part).rglob("*.py"))
            )
        )

    @cached_property
    def product(self) -> list[Source]:
        """The modules below src/."""
        return [source for source in self.sources if source.path.startswith("src/")]

    @cached_property
    def tests(self) -> list[Source]:
        """The files of tests, without fixtures and strategies."""
        return [
            source
            for source in self.sources
            if source.path.startswith("tests/") and source.stem.startswith("test_")
        ]

    @cached_property
    def test_functions(self) -> list[tuple[Source, ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Each test with its file."""
        return [
            (source, function)
            for source in self.tests
            for function in source.functions
            if function.name.startswith("test_")
        ]


def imports(sources: Sequence[Source]) -> dict[str, dict[str, int]]:
    """Return the modules that each one imports, with the line; late imports and types count."""
    known = {source.module for source in sources}
    graph: dict[str, dict[str, int]] = {}
    for source in sources:
        targets = graph.setdefault(source.module, {})
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                package = _package(source, node)
                inner = [f"{package}.{alias.name}" for alias in node.names]
                names = [name if name in known else package for name in inner]
            else:
                continue
            for name in names:
                if name in known and name != source.module:
                    targets.setdefault(name, node.lineno)
    return graph


def _package(source: Source, node: ast.ImportFrom) -> str:
    """Return what an import is from; dots in front count up from the module's own package."""
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    is_package = source.path.endswith("__init__.py")
    above = parts[: len(parts) - node.level + is_package]
    return ".".join([*above, *([node.module] if node.module else [])])


def circles(graph: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Return each largest set of modules that reach one another."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = list(graph.get(start, ()))
        while waiting:
            if (module := waiting.pop()) not in found:
                found.add(module)
                waiting += graph.get(module, ())
        return found

    reach = {module: reached(module) for module in graph}
    groups: dict[frozenset[str], None] = {}
    for module, others in reach.items():
        if module in others:
            groups[frozenset(other for other in others if module in reach[other])] = None
    return sorted(sorted(group) for group in groups)


def repeated_names(sources: Sequence[Source]) -> dict[str, list[Source]]:
    """Return the base names that several of the modules have."""
    named: defaultdict[str, list[Source]] = defaultdict(list)
    for source in sources:
        if source.stem not in UNIQUE_EXCEPT:
            named[source.stem].append(source)
    return {name: found for name, found in sorted(named.items()) if len(found) > 1}


def without_test_file(tree: Tree) -> list[Source]:
    """Return the modules that have no test file of their name; tests/README.md says why."""
    tests = {source.path for source in tree.tests}
    return [
        source
        for source in tree.product
        if source.stem not in ("__init__", "__main__")
        and "/migrations/" not in source.path
        and test_file(source) not in tests
    ]


def test_file(source: Source) -> str:
    """Return the path of the test file of a module."""
    folder, _, name = source.path.removeprefix("src/dicomquest/").rpartition("/")
    return "/".join(part for part in ("tests", folder, f"test_{name}") if part)


def long_lines(tree: Tree) -> Iterator[Breach]:
    for source in tree.sources:
        for number, line in enumerate(source.lines, 1):
            if len(line) > LINE_LIMIT:
                yield Breach(
                    source.path, number, f"line of {len(line)} characters, at most {LINE_LIMIT}"
                )


def long_test_names(tree: Tree) -> Iterator[Breach]:
    for source, function in tree.test_functions:
        if (length := len(function.name)) > TEST_NAME_LIMIT:
            yield Breach(
                source.path,
                function.lineno,
                f"test name of {length} characters, at most {TEST_NAME_LIMIT}: {function.name}",
            )


def docstring_openings(tree: Tree) -> Iterator[Breach]:
    for source in tree.sources:
        for number, text in source.docstrings:
            if match := OPENING.match(text):
                yield Breach(
                    source.path,
                    number,
                    f"docstring begins with '{match[0]}': say what the thing is or does",
                )


def base_names(tree: Tree) -> Iterator[Breach]:
    for name, found in repeated_names(tree.product).items():
        for source in found:
            others = ", ".join(other.path for other in found if other is not source)
            yield Breach(source.path, 1, f"base name '{name}' is also that of {others}")


def import_circles(tree: Tree) -> Iterator[Breach]:
    graph = imports(tree.product)
    paths = {source.module: source.path for source in tree.product}
    for circle in circles(graph):
        for module in circle:
            for target, number in graph[module].items():
                if target in circle:
                    yield Breach(
                        paths[module],
                        number,
                        f"imports {target}, which imports {module} again by way of the circle "
                        + ", ".join(circle),
                    )


def long_files(tree: Tree) -> Iterator[Breach]:
    for source in tree.sources:
        limit = TEST_FILE_LIMIT if source.path.startswith("tests/") else FILE_LIMIT
        if (length := len(source.lines)) > limit:
            yield Breach(source.path, 1, f"file of {length} lines, at most {limit}")


def vague_names(tree: Tree) -> Iterator[Breach]:
    for source in tree.sources:
        for part in (*source.path.split("/")[:-1], source.stem):
            if vague := set(part.split("_")).intersection(VAGUE_NAMES):
                yield Breach(
                    source.path, 1, f"'{vague.pop()}' in a name says nothing: name what is inside"
                )


def imports_from_tests(tree: Tree) -> Iterator[Breach]:
    for source in tree.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                if "dicomquest" not in name and name.rpartition(".")[2].startswith("test_"):
                    yield Breach(
                        source.path,
                        node.lineno,
                        f"imports from {name}: what several tests need lies in tests/fixtures/",
                    )


def banners(tree: Tree) -> Iterator[Breach]:
    for source in tree.sources:
        for number, line in enumerate(source.lines, 1):
            if BANNER.match(line):
                yield Breach(source.path, number, "banner comment: cut the file instead")


RULES: tuple[Callable[[Tree], Iterator[Breach]], ...] = (
    long_lines,
    long_test_names,
    docstring_openings,
    base_names,
    import_circles,
    long_files,
    vague_names,
    imports_from_tests,
    banners,
)


def check(tree: Tree) -> list[Breach]:
    """Return all breaches, by file and line."""
    found = (breach for rule in RULES for breach in rule(tree))
    return sorted(found, key=lambda breach: (breach.path, breach.line))


def median_and(values: Sequence[int], share: float) -> str:
    """Return the median and a quantile, such as '126 / 306'; the quantile of 1 is the largest."""
    ordered = sorted(values)
    return f"{statistics.median_low(ordered)} / {quantile(ordered, share)}"


def quantile(ordered: Sequence[int], share: float) -> int:
    """Return the smallest value that at least this share of the values does not exceed."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def figures(tree: Tree, subjects: Sequence[str]) -> list[tuple[str, str]]:
    """Return each figure of the product and of its tests, with its name."""
    lines = [line for source in tree.product for line in source.lines if line.strip()]
    widths = sorted(map(len, lines))
    functions = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for source in tree.product
        for node in source.functions
    )
    openings = Counter(
        match[0]
        for source in tree.product
        for _, text in source.docstrings
        if (match := OPENING.match(text))
    )
    remarks = sum(line.lstrip().startswith("#") for line in lines)
    rows = [
        ("file, lines: median / p90", median_and([len(s.lines) for s in tree.product], 0.9)),
        ("function, lines: p90 / max", f"{quantile(functions, 0.9)} / {functions[-1]}"),
        ("comments, % of lines", f"{100 * remarks / len(lines):.1f}"),
        ("line, characters: p90 / max", f"{quantile(widths, 0.9)} / {widths[-1]}"),
        (
            "test name, characters: median / max",
            median_and([len(function.name) for _, function in tree.test_functions], 1),
        ),
        (
            "docstrings that open with a question word",
            ", ".join(f"{word} {count}" for word, count in openings.most_common()) or "none",
        ),
        ("base names that occur twice", ", ".join(repeated_names(tree.product)) or "none"),
        ("modules without a test file of their own", str(len(without_test_file(tree)))),
        ("circles between modules", str(len(circles(imports(tree.product))))),
    ]
    if subjects:
        rows.append(("commit subject: median / max", median_and([len(s) for s in subjects], 1)))
    return rows


def commit_subjects(root: Path, since: str) -> list[str]:
    """Return the subjects of the commits after a revision."""
    command = ["git", "-C", str(root), "log", "--format=%s", f"{since}..HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


def main() -> int:
    """Print the figures or the breaches, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="print each breach of a rule, and fail"
    )
    parser.add_argument("--since", metavar="REVISION", help="also report on the commits after it")
    arguments = parser.parse_args()
    tree = Tree.read(ROOT)
    if arguments.check:
        breaches = check(tree)
        print(*breaches, sep="\n", end="\n" if breaches else "")
        return 1 if breaches else 0
    for name, value in figures(
        tree, commit_subjects(ROOT, arguments.since) if arguments.since else []
    ):
        print(f"{name:<45} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
