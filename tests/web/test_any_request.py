"""Any request to any resource: no answer is a fault of ours, and none hangs.

`python -m fuzz http_request` changes recorded requests byte by byte for as long as one likes.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.http_requests import http_requests

FUZZER = Path(__file__).parents[2] / "fuzz" / "http_request.py"
EXAMPLES = int(os.environ.get("DICOMQUEST_HTTP_EXAMPLES", "400"))


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_http_request", FUZZER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[ModuleType]:
    before = logging.root.manager.disable
    module = loaded()
    module.server()
    yield module
    module.server().close()
    logging.disable(before)


def templates(fuzzer: ModuleType) -> list[str]:
    """The paths of all resources that the application has."""
    routes: list[Any] = fuzzer.server().app._app._app.routes
    return [each.path for each in routes if hasattr(each, "path")]


@settings(deadline=None, max_examples=EXAMPLES)
@given(data=st.data())
def test_no_request_is_a_fault_of_ours(fuzzer: ModuleType, data: st.DataObject) -> None:
    known = fuzzer.server().known
    fuzzer.check(data.draw(http_requests(templates(fuzzer), known)))


def test_every_resource_is_asked(fuzzer: ModuleType) -> None:
    found = templates(fuzzer)
    assert "/" in found
    assert "/dicom-web/studies/{study}/series" in found
