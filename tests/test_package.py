"""The package offers its names, and imports nothing before they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dicomquest
from fixtures.timing import LONG


def test_package_offers_its_names() -> None:
    for name in dicomquest.__all__:
        assert getattr(dicomquest, name) is not None
    assert set(dicomquest.__all__) <= set(dir(dicomquest))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = dicomquest.Nothing


def test_importing_package_imports_next_to_nothing() -> None:
    program = """
import sys, dicomquest
print([name for name in sys.modules if name.partition('.')[0] == 'pydicom'])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=6 * LONG,
    )
    assert done.stdout == "[]\n"
