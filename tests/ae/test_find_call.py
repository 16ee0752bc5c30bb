"""``dicomquest.find`` asks one query, and says why there is no answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import date, time
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicomquest import AE, build_context, evt, find
from dicomquest.errors import (
    AssociationAbortedError,
    AssociationError,
    AssociationRejectedError,
    ConnectionFailedError,
    ContextNotAcceptedError,
    QueryFailedError,
)
from dicomquest.query.options import QueryOptions
from dicomquest.standard.models import MODALITY_WORKLIST
from fixtures.authority import Authority
from fixtures.faces import HOST, STUDY_ROOT, VERIFICATION, data_set, patients, scp, serving
from fixtures.timing import LONG


def studies(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    if "StudyInstanceUID" not in event.identifier:
        yield 0xC000, None
    for number in range(1000):
        yield 0xFF00, data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID=f"1.2.{number}")


def test_find() -> None:
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        assert event.assoc.requestor.ae_title == "ME"
        assert event.assoc.acceptor.ae_title == "PACS"
        return studies(event)

    item = data_set(ScheduledProcedureStepID="")
    with serving(handler) as port:
        matches = list(
            find(
                HOST, port, PatientName="CITIZEN*", StudyDate="20240101-",
                ModalitiesInStudy=["CT", "MR"], RequestAttributesSequence=[item],
                called_aet="PACS", calling_aet="ME",
            )
        )  # fmt: skip
    assert [match.StudyInstanceUID for match in matches] == [
        f"1.2.{number}" for number in range(1000)
    ]
    (identifier,) = asked
    assert identifier.PatientName == "CITIZEN*"
    assert list(identifier.ModalitiesInStudy) == ["CT", "MR"]
    assert "ScheduledProcedureStepID" in identifier.RequestAttributesSequence[0]
    for keyword in ("StudyTime", "AccessionNumber", "PatientID", "StudyID", "StudyInstanceUID"):
        assert identifier[keyword].is_empty


def test_find_gives_the_json_model_too() -> None:
    with serving(studies) as port:
        matches = list(find(HOST, port, as_="json"))
    assert [match["0020000D"] for match in matches] == [
        {"vr": "UI", "Value": [f"1.2.{number}"]} for number in range(1000)
    ]
    assert matches[0]["00080052"] == {"vr": "CS", "Value": ["STUDY"]}


def test_find_gives_lines_of_json() -> None:
    with serving(studies) as port:
        objects = list(find(HOST, port, as_="json"))
        lines = list(find(HOST, port, as_="json-text"))
    assert [json.loads(line) for line in lines] == objects
    assert not any("\n" in line for line in lines)


def test_find_builds_nothing_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="as_ 'arrow': expected dataset, json"):
        find(HOST, 1, as_="arrow")  # type: ignore[call-overload]


def test_find_asks_for_no_more_than_what_is_named() -> None:
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        asked.append(event.identifier)
        return []

    with serving(handler) as port:
        assert (
            list(
                find(
                    HOST, port, level="PATIENT", model="patient", PatientName="A*", PatientSex=None
                )
            )
            == []
        )
    assert {element.keyword for element in asked[0]} == {
        "QueryRetrieveLevel",
        "PatientName",
        "PatientSex",
        "PatientID",
    }


def test_find_stops_at_limit_or_when_left() -> None:
    """find() stops at its limit and when its loop is left."""
    told: list[str] = []
    released = threading.Semaphore(0)
    bindings: list[evt.Binding] = [
        (evt.EVT_RELEASED, lambda _: released.release()),
        (evt.EVT_ABORTED, lambda event: told.append(event.event.name)),
    ]
    with serving(studies, *bindings) as port:
        assert len(list(find(HOST, port, limit=3))) == 3
        matches = find(HOST, port)
        next(matches)
        matches.close()
        assert released.acquire(timeout=LONG)
        assert released.acquire(timeout=LONG)
    assert told == []


def test_find_offers_options() -> None:
    offered: list[Any] = []

    def answer(event: evt.Event) -> dict[UID, bytes]:
        offered.append(event.app_info)
        return {}

    with serving(studies, (evt.EVT_SOP_EXTENDED, answer)) as port:
        assert (
            len(list(find(HOST, port, limit=1, options=QueryOptions(relational=True, fuzzy=True))))
            == 1
        )
    assert offered == [{STUDY_ROOT: b"\1\0\1"}]


@pytest.mark.requirement("QR-027", "QR-028")
@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (QueryOptions(relational=True), {"level": "SERIES", "Modality": "CT"}),
        (QueryOptions(enhanced_multiframe=True), {"QueryRetrieveView": "CLASSIC"}),
    ],
)
@pytest.mark.parametrize("accepts", [False, True])
def test_find_uses_option_only_where_accepted(
    options: QueryOptions, keys: dict[str, str], accepts: bool
) -> None:
    """find() sends a query that needs an option only where the peer accepted it."""
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        asked.append(event.identifier)
        return []

    def answer(event: evt.Event) -> dict[UID, bytes]:
        return dict(event.app_info) if accepts else {}

    with serving(handler, (evt.EVT_SOP_EXTENDED, answer)) as port:
        matches = find(HOST, port, options=options, **keys)  # type: ignore[call-overload]
        if accepts:
            assert list(matches) == []
        else:
            with pytest.raises(
                ContextNotAcceptedError, match="did not accept what this query needs"
            ):
                list(matches)
    assert len(asked) == accepts


@pytest.mark.requirement("QR-023", "QR-024")
@pytest.mark.parametrize(("name", "charset"), [("DOE*", None), ("M\u00fcller", "ISO_IR 192")])
def test_find_adds_unique_key_and_charset(name: str, charset: str | None) -> None:
    """find() sends the unique key, and a character set where a key needs one."""
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        asked.append(event.identifier)
        return []

    with serving(handler) as port:
        assert list(find(HOST, port, PatientName=name, StudyDate=None)) == []
    assert asked[0]["StudyInstanceUID"].is_empty
    assert asked[0].get("SpecificCharacterSet") == charset


def refusing(**settings: Any) -> AE:
    ae = scp()
    for name, value in settings.items():
        setattr(ae, name, value)
    return ae


def failing(event: evt.Event) -> Iterator[tuple[Dataset, None]]:
    yield data_set(Status=0xA900, ErrorComment="no such level", OffendingElement=0x00080052), None


def aborting(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    event.assoc.abort()
    yield from patients(1)


@pytest.mark.parametrize(
    ("handler", "ae", "error", "words"),
    [
        (
            None,
            refusing(require_called_aet=True),
            AssociationRejectedError,
            "called AE title not recognized",
        ),
        (
            None,
            refusing(supported_contexts=[build_context(VERIFICATION)]),
            ContextNotAcceptedError,
            "Study Root",
        ),
        (failing, None, QueryFailedError, "A900.*no such level"),
        (aborting, None, AssociationAbortedError, "A-ABORT"),
    ],
)
def test_find_says_why_there_is_no_answer(
    handler: Callable[[evt.Event], Any] | None,
    ae: AE | None,
    error: type[AssociationError],
    words: str,
) -> None:
    with serving(handler, ae=ae) as port, pytest.raises(error, match=words) as raised:
        list(find(HOST, port))
    if isinstance(raised.value, QueryFailedError):
        assert (raised.value.status, raised.value.element) == (0xA900, (0x00080052,))


def test_find_says_that_nobody_listens() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionFailedError, match=str(port)):
        next(find(HOST, port))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PatientNmae": "A"}, "PatientNmae.*did you mean PatientName"),
        ({"keys": {"00100021x": "A"}}, "00100021x"),
        ({"keys": {0x00090010: "A"}}, "no attribute of the DICOM dictionary"),
        ({"keys": {"00100020": "1"}, "PatientID": "2"}, "given twice"),
        ({"StudyDate": time(12)}, "Study Date.*no DA value"),
        ({"StudyDate": (None, date(2024, 1, 1), None)}, "pair"),
        ({"InstanceNumber": 1.5}, "whole number"),
        ({"ae_title": "A", "called_aet": "B"}, "ae_title"),
        ({"QueryRetrieveLevel": "STUDY"}, "QueryRetrieveLevel"),
        ({"level": "STUDIES"}, "STUDY, SERIES, IMAGE"),
        ({"level": "PATIENT"}, "Study Root has STUDY"),
        ({"model": "patients"}, "patient, study, psonly"),
        ({"level": "SERIES", "Modality": "CT"}, "needs StudyInstanceUID with one value"),
        (
            {"level": "SERIES", "StudyInstanceUID": "1.2\\1.3"},
            "needs StudyInstanceUID with one value",
        ),
        (
            {"level": "SERIES", "StudyInstanceUID": "1.2", "StudyDate": "20240101"},
            "StudyDate belongs to STUDY level",
        ),
        ({"InstanceAvailability": "ONLINE"}, "InstanceAvailability must not"),
        ({"TimezoneOffsetFromUTC": "Z"}, "expected \\+HHMM"),
        ({"QueryRetrieveView": "CLASSIC"}, "QueryRetrieveView"),
    ],
)
@pytest.mark.requirement("QR-020", "QR-021", "QR-022", "QR-025", "QR-026", "QR-027")
def test_find_refuses_nonsense_before_connecting(settings: dict[str, Any], words: str) -> None:
    """find() refuses arguments that make no sense before it connects."""
    with pytest.raises(ValueError, match=words):
        find(HOST, 1, **settings)


def test_find_sends_as_is_on_request() -> None:
    """A value that is none is refused at once; ``as_is`` sends it, without upper keys too."""
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        yield 0xFF00, data_set(SeriesInstanceUID="1.2")

    with pytest.raises(ValueError, match=r"Study Date: '20241301' .*Perhaps 2024-01-13\."):
        find(HOST, 104, StudyDate="20241301")
    with serving(handler) as port:
        keys = {"StudyDate": "20241301", "Modality": "ct"}
        assert len(list(find(HOST, port, level="SERIES", as_is=True, keys=keys))) == 1
    assert (asked[0].StudyDate, asked[0].Modality) == ("20241301", "ct")


def test_find_over_tls(authority: Authority) -> None:
    with serving(studies, ssl_context=authority.server_context()) as port:
        assert len(list(find(HOST, port, limit=2, ssl_context=authority.client_context()))) == 2


@pytest.mark.parametrize("converts", [False, True])
def test_pydicom_settings_change_nothing_sent(
    converts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """find() and send_c_find send the same bytes whatever pydicom.config says."""
    asked: list[bytes] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        assert event.request.Identifier is not None
        asked.append(event.request.Identifier.getvalue())
        return []

    monkeypatch.setattr("pydicom.config.datetime_conversion", converts)
    monkeypatch.setattr("pydicom.config.use_DS_decimal", converts)
    with serving(handler) as port:
        keys = {"00100020": "4711"}
        found = find(HOST, port, StudyDate="20240101-20240131", PatientWeight=70.5, keys=keys)
        assert list(found) == []
    assert b"20240101-20240131" in asked[0]
    assert b"70.5" in asked[0]
    assert b"4711" in asked[0]


def test_names_of_find_are_forgiving() -> None:
    """A level in lower case, ae_title and tags are understood; a misspelt keyword is not."""
    asked: list[evt.Event] = []

    def handler(event: evt.Event) -> list[tuple[int, None]]:
        asked.append(event)
        assert event.assoc.acceptor.ae_title == "PACS"
        return []

    with serving(handler) as port:
        uid = {"0020000D": "1.2"}
        assert list(find(HOST, port, level="series", ae_title="PACS", keys=uid)) == []
    assert asked[0].identifier.QueryRetrieveLevel == "SERIES"
    assert asked[0].identifier.StudyInstanceUID == "1.2"
    with pytest.raises(ValueError, match="did you mean PatientName"):
        find(HOST, 1, PatientNam="A")


def test_find_asks_a_model_without_levels() -> None:
    """The identifier has no level, and fuzzy names are offered in byte 3 (PS3.4 K.5.1)."""
    asked: list[Dataset] = []

    def handler(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        assert event.assoc.requestor.sop_class_extended == {MODALITY_WORKLIST.uid: b"\1\1\1"}
        yield 0xFF00, data_set(PatientID="P1")

    ae = AE("RIS")
    ae.add_supported_context(MODALITY_WORKLIST.uid)
    server = ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, handler)])
    port = server.server_address[1]
    options = QueryOptions(fuzzy=True)
    (found,) = find(HOST, port, model="worklist", options=options, PatientID="P1", Modality="CT")
    server.shutdown()
    assert found.PatientID == "P1"
    assert asked[0].ScheduledProcedureStepSequence[0].Modality == "CT"
    assert "QueryRetrieveLevel" not in asked[0]
