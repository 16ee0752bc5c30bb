"""pynetdicom's public names, by introspection: each is here, or its absence has a sentence."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pynetdicom
import pytest

import dicomquest
from dicomquest import absent_names
from fixtures.faces import HOST, VERIFICATION
from fixtures.timing import LONG

MODULES = (
    "ae", "association", "dimse", "events", "pdu", "pdu_primitives", "presentation", "status",
)  # fmt: skip
SENTENCE = r"dicomquest has no \w+: .*\bnot (yet )?here\b.*|.*: use its UID"


def public(names: Any) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def defined(module: ModuleType) -> set[str]:
    """Return the public names that a module itself defines, without its types for annotations."""
    assert module.__file__ is not None
    names = set()
    for node in ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {
        name for name in public(names) if name != "LOGGER" and not name.endswith(("Type", "Return"))
    }


def module_names() -> Iterator[tuple[str, str]]:
    for part in MODULES:
        for name in sorted(defined(importlib.import_module(f"pynetdicom.{part}"))):
            yield f"dicomquest.{part}", name
    for name in sorted(public(dir(pynetdicom))):
        if name not in ("UID", "annotations", "logging", "name"):
            yield "dicomquest", name
    for name, value in vars(pynetdicom.sop_class).items():
        if isinstance(value, pynetdicom.sop_class.SOPClass):
            yield "dicomquest.sop_class", name


@pytest.mark.parametrize("owner", ["dicomquest", *(f"dicomquest.{each}" for each in MODULES)])
def test_each_module_has_names_to_look_for(owner: str) -> None:
    assert sum(each == owner for each, _ in module_names()) >= 1


def test_names_of_modules_are_here_or_explained() -> None:
    bare = {}
    for owner, name in module_names():
        try:
            getattr(importlib.import_module(owner), name)
        except AttributeError as error:
            bare[f"{owner}.{name}"] = str(error)
    unexplained = {name: words for name, words in bare.items() if not _is_sentence(words)}
    assert unexplained == {}
    assert len(bare) > 50


def _is_sentence(words: str) -> bool:
    return re.fullmatch(SENTENCE, words) is not None


def side(library: ModuleType) -> dict[str, Any]:
    """Make an AE, its server, and both sides of an association between them."""
    ae = library.AE()
    ae.add_supported_context(VERIFICATION)
    ae.add_requested_context(VERIFICATION)
    seen: list[Any] = []

    def answer(event: Any) -> int:
        seen.append(event.assoc)
        return 0

    handlers = [(library.evt.EVT_C_ECHO, answer)]
    server = ae.start_server((HOST, 0), block=False, evt_handlers=handlers)
    association = ae.associate(HOST, server.server_address[1])
    assert association.send_c_echo().Status == 0
    return {
        "AE": ae,
        "server": server,
        "requestor": association,
        "acceptor": seen[0],
        "side": association.requestor,
        "other side": seen[0].acceptor,
    }


def test_names_of_objects_are_here_or_explained() -> None:
    theirs, ours = side(pynetdicom), side(dicomquest)
    unexplained = {}
    missing = 0
    for owner, their in theirs.items():
        for name in public(dir(their)):
            try:
                getattr(ours[owner], name)
            except AttributeError as error:
                missing += 1
                if not _is_sentence(str(error)):
                    unexplained[f"{owner}.{name}"] = str(error)
    for each in (theirs, ours):
        each["requestor"].release()
        each["AE"].shutdown()
    assert unexplained == {}
    assert missing > 50


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "from dicomquest.events import EVT_N_GET",
            "the DIMSE-N services but N-CREATE and N-SET are not here",
        ),
        ("from dicomquest import PrintManagementPresentationContexts", "use build_context"),
        ("from dicomquest import apps", "use the command line"),
        ("from dicomquest.pdu_primitives import A_ASSOCIATE", "maximum_pdu_size"),
        ("from dicomquest.presentation import SCP_SCU_ROLES", "build_role"),
    ],
)
def test_import_of_an_absent_name_is_explained(line: str, words: str) -> None:
    """An import keeps the sentence, which Python drops of an AttributeError."""
    done = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, text=True, check=False, timeout=6 * LONG
    )
    assert done.stderr.splitlines()[-1].startswith("ImportError: dicomquest has no ")
    assert words in done.stderr


def test_an_absent_name_is_no_attribute() -> None:
    """hasattr() and getattr() with a default, by which programs look for features, work."""
    assert not hasattr(dicomquest.evt, "EVT_N_GET")
    assert getattr(dicomquest, "apps", None) is None


def test_a_name_of_nobody_has_pythons_words() -> None:
    assert absent_names.sentence("AE", "nothing") is None
    with pytest.raises(AttributeError, match="'AE' object has no attribute 'nothing'"):
        _ = dicomquest.AE().nothing
    with pytest.raises(AttributeError, match="module 'dicomquest' has no attribute 'Nothing'"):
        _ = dicomquest.Nothing
