"""The queries of the table over the wire: our SCP answers each as the reference does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from pydicom.datadict import tag_for_keyword

from dicomquest import AE
from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import server_settings
from dicomquest.dataset.elements import DataSet, from_pydicom, to_json, to_pydicom
from dicomquest.errors import IdentifierError
from dicomquest.index import Index
from dicomquest.query import reference
from dicomquest.query.identifier.parse import parse_identifier
from dicomquest.query.options import QueryOptions
from dicomquest.sync import Association
from fixtures.building import ROOTS, data_set
from fixtures.faces import HOST
from fixtures.postgresql_cluster import Cluster
from peers import realistic
from peers.query_table import ROWS, Row

ADDED = {
    tag_for_keyword(keyword)
    for keyword in ("SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle")
}
"""The elements that the service adds to those of the query."""


@cache
def instances() -> list[DataSet]:
    return [from_pydicom(instance) for instance in realistic.instances()]


def identifier_of(row: Row) -> DataSet:
    """Build the identifier of a row as findscu builds it of the same keys."""
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


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def association(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Association]:
    cluster: Cluster | None = (
        request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    )
    location = (
        cluster.create_database()
        if cluster
        else str(tmp_path_factory.mktemp("table") / "index.sqlite")
    )
    ae = AE()
    for root in ROOTS.values():
        ae.add_requested_context(root)
    with Index(location) as index:
        index.ingest_data_sets(instances())
        settings = server_settings(ServeSettings(index=location), index)
        with RunningServer(lambda: Server(settings), (HOST, 0)) as server:
            server.start()
            with ae.associate(*server.server_address) as made:
                yield made


def plain(answer: DataSet) -> str:
    return json.dumps(
        to_json({tag: element for tag, element in answer.items() if tag not in ADDED})
    )


def expected(row: Row) -> tuple[Counter[str], int]:
    """The matches of the reference, and the final status."""
    try:
        query = parse_identifier(identifier_of(row), ROOTS[row.model], QueryOptions())
    except IdentifierError as error:
        return Counter(), error.status
    return Counter(map(plain, reference.find(instances(), query))), 0x0000


@pytest.mark.requirement(
    "QR-003", "QR-007", "QR-008", "QR-009", "QR-042", "QR-045", "QR-046", "QR-060", "QR-061",
    "QR-090",
    "QR-091", "QR-092", "QR-093", "QR-094", "QR-095", "QR-096", "QR-098", "QR-100", "QR-103",
    "QR-105", "QR-109",
    "QR-114", "QR-115", "QR-116", "QR-120", "QR-121", "QR-131", "QR-132", "QR-133",
)  # fmt: skip
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.level}-{row.says}"[:60])
def test_our_scp_answers_as_reference_does(association: Association, row: Row) -> None:
    *pending, (final, _) = association.send_c_find(to_pydicom(identifier_of(row)), ROOTS[row.model])
    answers = [identifier for _, identifier in pending if identifier is not None]
    assert len(answers) == len(pending)
    assert {answer.QueryRetrieveLevel for answer in answers} <= {row.level}
    assert (Counter(plain(from_pydicom(answer)) for answer in answers), final.Status) == expected(
        row
    )
    assert len(answers) == row.found
