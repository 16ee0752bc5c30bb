"""The program starts at once: a command imports only the modules it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dicomquest.cli import COMMANDS
from fixtures.faces import serving
from fixtures.timing import LONG

SLOW = {
    "alembic",
    "asyncio",
    "jellyfish",
    "numpy",
    "pydicom",
    "rich",
    "sqlalchemy",
    "ssl",
    "uvloop",
}

PROGRAM = """
import sys
from dicomquest.cli import main
try:
    main(sys.argv[1:], prog_name="dicomquest")
finally:
    print("imported:", *sorted(sys.modules), file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=6 * LONG,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.partition("imported:")[2].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
)
def test_help_imports_nothing_slow(arguments: list[str]) -> None:
    assert not SLOW & imported(*arguments)


def test_program_that_only_asks_imports_no_server() -> None:
    program = "import sys, dicomquest.ae; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        text=True,
        timeout=6 * LONG,
    )
    assert not {"asyncio", "dicomquest.aio.server", "sqlalchemy", "uvloop"} & set(
        done.stdout.split()
    )


def test_c_echo_needs_neither_pydicom_nor_database() -> None:
    with serving() as port:
        assert not SLOW & imported("echo", "127.0.0.1", str(port))
