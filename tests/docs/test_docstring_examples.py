"""The Python examples in the docstrings of the public names run as they stand."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomquest import AE, evt
from dicomquest.ae.background import RunningServer
from fixtures.faces import STUDY_ROOT, data_set

_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)

_DOCUMENTED = (
    "dicomquest.AE",
    "dicomquest.Association",
    "dicomquest.aio.client.AsyncAssociation",
    "dicomquest.build_context",
    "dicomquest.evt",
    "dicomquest.find",
    "dicomquest.sop_class",
)


def examples(name: str) -> list[str]:
    """List the Python blocks in the docstring of a module or of a module's attribute."""
    try:
        documented: Any = importlib.import_module(name)
    except ModuleNotFoundError:
        module, attribute = name.rsplit(".", 1)
        documented = getattr(importlib.import_module(module), attribute)
    return _BLOCK.findall(inspect.getdoc(documented) or "")


def run(example: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, "example", "exec"), namespace)
    return namespace


@pytest.fixture
def studies() -> Iterator[RunningServer]:
    """A server that answers any query with one study."""

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        assert event.identifier.QueryRetrieveLevel == "STUDY"
        yield 0xFF00, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.1")

    ae = AE()
    ae.add_supported_context(STUDY_ROOT)
    with ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)]
    ) as server:
        yield server


@pytest.mark.parametrize("name", _DOCUMENTED)
def test_examples_run(
    name: str, studies: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each documented name has an example; one that defines print_studies prints the study."""
    found = examples(name)
    assert found
    for example in found:
        show = run(example).get("print_studies")
        if show is None:
            continue
        capsys.readouterr()
        arguments = (*studies.server_address, "4711")[: len(inspect.signature(show).parameters)]
        outcome = show(*arguments)
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
        assert capsys.readouterr().out == "2.25.1\n"


def test_example_of_ae_prints_the_match(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = examples("dicomquest.AE")
    run(example)
    assert capsys.readouterr().out == "FF00 4711\n0000 None\n"
