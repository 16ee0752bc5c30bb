"""The code blocks of the pages: each is run, or its page says why not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from fixtures.page_blocks import OWN_TERMINAL, indented_blocks, read_blocks
from fixtures.page_runner import PORT, PageRun
from fixtures.postgresql_cluster import PROGRAMS, SUPERUSER, Cluster

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in DOCS.rglob("*.md"))]
RUN = [page for page in PAGES if any(not block.reason for block in read_blocks(ROOT / page))]

NEEDS: dict[str, tuple[str, ...]] = {
    "docs/how-to/postgresql.md": (*PROGRAMS, "createdb", "psql"),
    "docs/how-to/monitor.md": ("curl",),
    "docs/how-to/from-dcmqrscp.md": ("dcmqrscp", "findscu"),
    "docs/how-to/tls.md": ("openssl",),
    "docs/how-to/worklist.md": ("findscu",),
}
"""The programs of other people that the blocks of a page start."""

IN_A_CLONE = ("docs/tutorial/first-search.md",)
"""The pages that begin with a fresh clone; all others go on from there."""


def make_clone(folder: Path) -> None:
    """Make what looks like a fresh clone after ``make setup``, without copying the tree."""
    folder.mkdir()
    for each in ROOT.iterdir():
        if each.name not in {".git", ".venv", "build"}:
            (folder / each.name).symlink_to(each)
    environment = folder / ".venv"
    environment.mkdir()
    for each in Path(sys.prefix).iterdir():
        if each.name != "installed":
            (environment / each.name).symlink_to(each)
    (environment / "installed").touch()


@pytest.mark.long
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.peer(*NEEDS.get(page, ()))) for page in RUN]
)
def test_the_blocks_of_a_page_run_as_shown(
    page: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    blocks = read_blocks(ROOT / page)
    folder, port = tmp_path / "dicomquest", None
    if page in IN_A_CLONE:
        make_clone(folder)
    else:
        shutil.copytree(request.getfixturevalue("scans"), folder)
        starts = any(block.title == OWN_TERMINAL for block in blocks)
        if not starts and any(PORT in block.text for block in blocks):
            port = request.getfixturevalue("served").port
    environment = {}
    if page == "docs/how-to/postgresql.md":
        cluster: Cluster = request.getfixturevalue("postgresql")
        request.addfinalizer(lambda: cluster.drop_database("dicom"))
        environment = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.port), "PGUSER": SUPERUSER}
    run = PageRun.begin(folder, served=port, environment=environment)
    try:
        for block in blocks:
            if not block.reason:
                try:
                    run.run(block)
                except AssertionError as error:
                    raise AssertionError(f"{page}:{block.line}: {error}") from None
    finally:
        run.end()
    if page == "README.md":
        assert (folder / "studies.csv").read_text(encoding="utf-8").count("\n") > 1


@pytest.mark.parametrize("page", PAGES)
def test_each_block_is_run_or_says_why_not(page: str) -> None:
    for block in read_blocks(ROOT / page):
        assert block.is_runnable or block.reason, (
            f"{page}:{block.line}: no test runs a block of {block.language or 'no language'}: "
            "write <!-- not run: the reason --> above it"
        )
    assert indented_blocks(ROOT / page) == [], "fence this code"
