"""The queries of the table of differences, asked of one server before three makes of archives."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomquest import AE
from dicomquest.dataset.elements import DataSet, from_pydicom, to_pydicom
from dicomquest.errors import IdentifierError
from dicomquest.query import reference
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.sync import Association
from fixtures.building import ROOTS, data_set, text_of
from fixtures.faces import HOST
from peers import dcmtk, ours, realistic
from peers import orthanc as orthanc_program
from peers.query_table import ROWS, Row

pytestmark = pytest.mark.peer("dcmqrscp", "Orthanc")


@cache
def instances() -> list[Dataset]:
    return list(realistic.instances())


@pytest.fixture(scope="module")
def association(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Association]:
    """An association with a server before three archives, each of a third of the studies."""
    folder = tmp_path_factory.mktemp("queries")
    uids = sorted({str(each.StudyInstanceUID) for each in instances()})
    places: list[list[Path]] = [[], [], []]
    for name in ("dcmqrscp", "orthanc", "own", "dicomquest"):
        (folder / name).mkdir()
    for number, instance in enumerate(instances()):
        place = uids.index(str(instance.StudyInstanceUID)) % 3
        path = folder / ("dicomquest" if place == 2 else "own") / f"{number}.dcm"
        instance.save_as(path, enforce_file_format=True)
        places[place].append(path)
    ours.index(folder / "index", folder / "dicomquest")
    ae = AE()
    for root in ROOTS.values():
        ae.add_requested_context(root)
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        peers = {
            "first": start(dcmtk.dcmqrscp(folder / "dcmqrscp", places[0])),
            "second": start(orthanc_program.orthanc(folder / "orthanc", places[1])),
            "third": start(ours.serve(folder / "index")),
        }
        configuration = folder / "node.toml"
        configuration.write_text(
            "".join(
                f'[upstreams.{name}]\naet = "{peer.aet}"\nhost = "{HOST}"\nport = {peer.port}\n'
                'models = ["patient", "study", "psonly"]\n'
                for name, peer in peers.items()
            ),
            encoding="utf-8",
        )
        node = start(
            ours.serve(folder / "node.sqlite", "--upstreams-only", "--config", str(configuration))
        )
        yield start(ae.associate(HOST, node.port))


def identifier_of(row: Row) -> DataSet:
    keys: dict[str, Any] = {"SpecificCharacterSet": "ISO_IR 192", "QueryRetrieveLevel": row.level}
    items: dict[str, dict[str, str]] = {}
    for path, value in row.keys.items():
        sequence, _, keyword = path.rpartition("[0].")
        if sequence:
            items.setdefault(sequence, {})[keyword] = value
        else:
            keys[keyword] = value
    return data_set(
        **keys, **{sequence: [data_set(**values)] for sequence, values in items.items()}
    )


def key_of(row: Row, answer: DataSet) -> str | None:
    keyword = {
        "PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID",
        "IMAGE": "SOPInstanceUID",
    }[row.level]  # fmt: skip
    assert UNIQUE_KEYS[Level[row.level]].keyword == keyword
    return text_of(answer, keyword)


def expected(row: Row) -> Counter[str | None]:
    try:
        query = parse_identifier(identifier_of(row), ROOTS[row.model], QueryOptions())
    except IdentifierError:
        return Counter()
    found = reference.find([from_pydicom(each) for each in instances()], query)
    return Counter(key_of(row, each) for each in found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.level}-{row.says}"[:60])
def test_three_makes_answer_as_they_should(association: Association, row: Row) -> None:
    """The answers are those of an archive that has all, but for what an archive cannot tell.

    An archive that does not support an optional key answers FF01 without its attribute: nobody can
    match that. dcmqrscp has few, and Orthanc no sequences of studies.
    """
    *pending, _ = association.send_c_find(to_pydicom(identifier_of(row)), ROOTS[row.model])
    answers = [(status.Status, found) for status, found in pending if found is not None]
    unsure = Counter(
        key_of(row, from_pydicom(found))
        for status, found in answers
        if status == 0xFF01 and found.RetrieveAETitle in {"QRSCP", "ORTHANC"}
    )
    found = Counter(key_of(row, from_pydicom(each)) for _, each in answers)
    wanted = expected(row)
    assert not wanted - found
    assert not found - wanted - unsure
