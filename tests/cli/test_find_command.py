"""`dicomquest find` and `echo`: their requests, their output and their exit statuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset

from dicomquest import AE, evt
from dicomquest.cli import main
from dicomquest.dimse.commands import CFindRQ, CFindRSP
from dicomquest.pdu.pdus import AReleaseRP
from fixtures.faces import HOST, RawPeer, data_set, raw_acceptor, scp, serving
from fixtures.misbehaving import answering_each, implicit, listening
from fixtures.scripted_archive import ScriptedArchive, entity, studies
from peers.processes import free_port

Responses = Iterator[tuple[int | Dataset, Dataset | None]]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def find(port: int, *arguments: str) -> Result:
    return run("find", HOST, str(port), *arguments)


def study(**values: Any) -> Dataset:
    return data_set(QueryRetrieveLevel="STUDY", RetrieveAETitle="SCP", **values)


class Archive:
    """A peer that notes each identifier and gives the responses that it was made with."""

    def __init__(self, *responses: tuple[int | Dataset, Dataset | None]) -> None:
        self.responses = responses
        self.asked: list[Dataset] = []

    def __call__(self, event: evt.Event) -> Responses:
        self.asked.append(event.identifier)
        yield from self.responses


JAN = (0xFF00, study(PatientName="CITIZEN^Jan", StudyInstanceUID="1.2.3"))


def test_matches_to_stdout_rest_to_stderr() -> None:
    """Matches go to standard output, all else to standard error."""
    with serving(Archive(JAN)) as port:
        result = find(port, "PatientName=CITIZEN*", "StudyInstanceUID")
    assert result.exit_code == 0
    heading, row = result.stdout.splitlines()
    assert heading == "Patient      Study Instance UID"
    assert row.split() == ["CITIZEN^Jan", "1.2.3"]
    question, summary = result.stderr.splitlines()
    assert question == "studies whose Patient's Name starts with 'CITIZEN'"
    assert re.fullmatch(r"1 study in \d+ ms", summary)


def test_no_match_is_an_answer() -> None:
    with serving(Archive()) as port:
        result = find(port, "PatientName=NOBODY")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "\nNo studies.\n'NOBODY' has no wild card: " in result.stderr
    assert "Perhaps PatientName='NOBODY^*'." in result.stderr


def test_keys_are_sent_as_given() -> None:
    archive = Archive(JAN)
    with serving(archive) as port:
        assert (
            find(
                port, "0010,0010=CIT*", "StudyDate=20240101-", "ModalitiesInStudy=CT\\MR", "Rows"
            ).exit_code
            == 0
        )
    assert archive.asked == [
        data_set(
            QueryRetrieveLevel="STUDY",
            StudyDate="20240101-",
            ModalitiesInStudy=["CT", "MR"],
            PatientName="CIT*",
            StudyInstanceUID="",
            Rows=None,
        )
    ]


def test_date_as_people_write_it_is_said_and_sent() -> None:
    """A value that is read as people write it is said, whatever the format."""
    archive = Archive((0xFF00, study(StudyDate="20240105", StudyInstanceUID="1.2.3")))
    with serving(archive) as port:
        result = find(port, "StudyDate=2024-01", "--format", "csv")
        find(port, "StudyDate=2024-01", "--as-is")
    assert result.stderr == "studies whose Study Date is from 2024-01-01 to 2024-01-31\n"
    assert [str(asked.StudyDate) for asked in archive.asked] == ["20240101-20240131", "2024-01"]


@pytest.mark.requirement("QR-024", "EN-029")
@pytest.mark.parametrize(
    ("options", "charset"),
    [
        ([], "ISO_IR 192"),
        (["--charset", "ISO_IR 100"], "ISO_IR 100"),
        (["--charset", "latin1"], "ISO_IR 100"),
    ],
)
def test_non_ascii_key_is_sent_in_a_charset(options: list[str], charset: str) -> None:
    """A key outside ASCII is sent in a character set."""
    archive = Archive(JAN)
    with serving(archive) as port:
        assert find(port, "PatientName=Müller^Jürgen", "StudyDate", *options).exit_code == 0
    (asked,) = archive.asked
    assert asked.SpecificCharacterSet == charset
    assert asked.PatientName == "Müller^Jürgen"


@pytest.mark.requirement("QR-058")
def test_responses_may_lack_keys_and_have_others() -> None:
    archive = Archive(
        (0xFF00, data_set(PatientComments="unasked")), (0xFF00, data_set(PatientID="1"))
    )
    with serving(archive) as port:
        result = find(port, "PatientName=A*", "--format", "jsonl")
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"PatientComments": "unasked"},
        {"PatientID": "1"},
    ]


@pytest.mark.requirement("QR-150")
def test_both_pending_statuses_are_matches() -> None:
    with serving(Archive(JAN, (0xFF01, JAN[1]))) as port:
        result = find(port, "PatientName=A*", "--format", "csv")
    assert len(result.stdout.splitlines()) == 3


def failure(status: int, **fields: Any) -> Dataset:
    return data_set(Status=status, **fields)


@pytest.mark.requirement("QR-149", "QR-151")
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (0xA700, "status A700, Refused: out of resources"),
        (
            failure(0xA900, OffendingElement=[0x00100010], ErrorComment="no"),
            "A900, Error: identifier does not match",
        ),
        (failure(0xA900, OffendingElement=[0x00100010], ErrorComment="no"), ": no, at (0010,0010)"),
        (0xC000, "status C000, Failed: unable to process"),
        (0xCFED, "status CFED, Failed: unable to process"),
        (0x0122, "status 0122, Refused: SOP class not supported"),
        (0xFE00, "status FE00, Matching terminated due to cancel request"),
    ],
)
def test_failure_status_is_the_peers_failure(status: int | Dataset, message: str) -> None:
    """A final status other than Success is the peer's failure."""
    with serving(Archive(JAN, (status, None))) as port:
        result = find(port, "PatientName=A*", "StudyInstanceUID")
    assert result.exit_code == 1
    assert "CITIZEN^Jan" in result.stdout  # matches before a failure still count
    assert message in result.stderr


def abort(event: evt.Event) -> Responses:
    yield JAN
    event.assoc.abort()


def test_abort_is_the_peers_failure() -> None:
    with serving(abort) as port:
        result = find(port, "PatientName=A*", "StudyInstanceUID")
    assert result.exit_code == 1
    assert "Error: the peer did not answer the query to its end: " in result.stderr


def test_closed_port_is_said_so() -> None:
    port = free_port()
    for arguments in (["find", HOST, str(port)], ["echo", HOST, str(port)]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert f"Error: no connection to {HOST} port {port}: " in result.stderr
        assert "refused" in result.stderr


def test_rejection_is_said_so() -> None:
    ae = scp()
    ae.require_called_aet = True
    with serving(Archive(), ae=ae) as port:
        for arguments in (["find", HOST, str(port)], ["echo", HOST, str(port)]):
            result = run(*arguments)
            assert result.exit_code == 1
            assert "called AE title not recognized" in result.stderr
            assert run(*arguments, "--aec", "SCP").exit_code == 0


def test_service_that_is_not_offered_is_said_so() -> None:
    ae = AE("SCP")
    ae.add_supported_context("1.2.840.10008.1.1")
    with serving(Archive(), ae=ae) as port:
        result = find(port)
        assert result.exit_code == 1
        assert "accepts associations but no Find under Study Root" in result.stderr


def test_echo() -> None:
    with serving(Archive()) as port:
        result = run("echo", HOST, str(port))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"ANY-SCP at {HOST} port {port} answered in " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["PatientNam=A"], "did you mean PatientName"),
        (["-L", "PATIENT"], "Study Root has no level PATIENT"),
        (["-L", "SERIES"], "add StudyInstanceUID=VALUE"),
        (["Rows=many"], "write a number"),
        (["StudyDate=05.01.2024"], "Study Date '05.01.2024' could be 5 January or 1 May."),
        (["ModalitiesInStudy=ct"], "Perhaps CT. (--as-is sends it all the same.)"),
        (["PatientName=Å", "--charset", "ISO_IR 126"], "lacks characters of the keys"),
        (["--format", "yaml"], "'yaml' is not one of"),
        (["-o", "studies.doc"], "the ending names no format"),
        (["--format", "dcm"], "add -o FOLDER/"),
        (["--sort", "StudyDat"], "did you mean StudyDate"),
        (["--limit", "0"], "0 is not in the range"),
        (["--offer", "magic"], "'magic' is not one of"),
        (["--aet", "A" * 17], "is no AE title"),
        (["--tls-key", __file__], "add --tls-cert FILE"),
        (["--tls-ca", __file__], "TLS: cannot use"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_command_line_sends_nothing(arguments: list[str], message: str) -> None:
    """A wrong command line is refused before anything is sent."""
    result = find(free_port(), *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "arguments", [["find"], ["find", HOST], ["find", HOST, "70000"], ["echo", HOST, "dicom"]]
)
def test_host_and_port_are_needed(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def extended(answer: bytes) -> Callable[[evt.Event], dict[str, bytes]]:
    return lambda event: dict.fromkeys(event.app_info, answer)


@pytest.mark.requirement("QR-028")
def test_relational_query_not_sent_unless_accepted() -> None:
    """A relational query is not sent where the peer did not accept relational queries."""
    archive = Archive(JAN)
    with serving(archive, (evt.EVT_SOP_EXTENDED, extended(b"\0"))) as port:
        result = find(port, "-L", "SERIES", "Modality=CT", "--offer", "relational")
    assert result.exit_code == 1
    assert "the peer did not accept an option that this query needs" in result.stderr
    assert archive.asked == []


@pytest.mark.requirement("QR-028")
def test_relational_query_sent_where_accepted() -> None:
    """A relational query is sent where the peer accepted relational queries."""
    archive = Archive()
    with serving(archive, (evt.EVT_SOP_EXTENDED, extended(b"\1"))) as port:
        result = find(port, "-L", "SERIES", "Modality=CT", "--offer", "relational")
    assert result.exit_code == 0, result.stderr
    assert "Offered: Relational queries: accepted" in result.stderr
    assert len(archive.asked) == 1


@pytest.mark.requirement("QR-074")
def test_answer_of_fewer_bytes_declines_rest() -> None:
    with serving(Archive(), (evt.EVT_SOP_EXTENDED, extended(b"\1"))) as port:
        result = find(port, "--offer", "relational", "--offer", "fuzzy")
    assert "Relational queries: accepted" in result.stderr
    assert "person names: not accepted, so: literal matching" in result.stderr


def test_as_is_sends_what_standard_does_not_allow() -> None:
    archive = Archive()
    with serving(archive) as port:
        assert find(port, "-L", "SERIES", "Modality=CT", "--as-is").exit_code == 0
    assert "StudyInstanceUID" not in archive.asked[0]


def test_explain_tells_query_and_peers_answer() -> None:
    """--explain tells what is asked and what the peer accepted."""
    answers = Archive(
        (0xFF01, study(PatientName="DOE^JOHN", StudyInstanceUID="1.2")),
        (0xFF01, study(PatientName="CITIZEN^Jan", StudyInstanceUID="1.3")),
    )
    with serving(answers) as port:
        result = find(port, "PatientName=CITIZEN*", "StudyDescription", "--explain")
    assert result.exit_code == 0
    said = result.stderr
    assert "Query (Study Root): studies whose Patient's Name starts with 'CITIZEN'; return " in said
    assert "Study Description (0008,1030): optional key of STUDY level; matching: Universal" in said
    assert "status FF01: the peer does not support an optional key" in said
    assert "Patient's Name: the value returned does not match the key (in 1 of 2)" in said
    assert "Study Description: asked for, not returned (in 2 of 2)" in said


def test_limit_cancels_the_query() -> None:
    cancelled = []

    def many(event: evt.Event) -> Responses:
        for number in range(1_000_000):
            if event.is_cancelled:
                cancelled.append(number)
                yield 0xFE00, None
                return
            yield 0xFF00, study(StudyInstanceUID=f"1.2.{number}")

    with serving(many) as port:
        result = find(port, "StudyInstanceUID", "--limit", "3")
    assert result.exit_code == 0
    assert result.stdout.count("1.2.") == 3
    said = " ".join(result.stderr.split())
    assert re.fullmatch(
        r"all studies 3 studies in \d+ ms: --limit 3 cut the list, and the query was cancelled",
        said,
    )
    assert cancelled


def odd_peer(identifier: bytes) -> Callable[[RawPeer], None]:
    """A peer with one answer: these bytes."""

    def serve(peer: RawPeer) -> None:
        peer.accept()
        asked = peer.receive_command()
        assert isinstance(asked, CFindRQ)
        pending = CFindRSP(
            message_id_being_responded_to=asked.message_id, status=0xFF00, has_data_set=True
        )
        peer.send_command(pending, identifier, context_id=1)
        peer.send_command(
            CFindRSP(message_id_being_responded_to=asked.message_id, status=0x0000), context_id=1
        )
        peer.receive()
        peer.send(AReleaseRP())

    return serve


@pytest.mark.requirement("QR-058", "EN-011")
@pytest.mark.parametrize("name", ["table", "record", "csv", "json", "jsonl", "dicom-json"])
def test_invalid_values_are_printed_as_they_came(name: str) -> None:
    """Values that their VR does not allow are printed as they came."""
    identifier = b"".join(
        [
            implicit(0x00080020, b"2024-01-01"),
            implicit(0x00100010, b"M\xfcller^J\xfcrgen"),  # odd length, and no character set
            implicit(0x00200013, b"abc "),
            implicit(0x00280010, b"\1\2\3"),  # a US of three bytes
            implicit(0x00281050, b"1.5\\x "),
        ]
    )
    with raw_acceptor(odd_peer(identifier)) as port:
        result = find(port, "StudyDate", "PatientName", "InstanceNumber", "--format", name)
    assert result.exit_code == 0, result.stderr
    assert "2024-01-01" in result.stdout
    assert "abc" in result.stdout
    assert "Müller^Jürgen" in result.stdout


def test_undecodable_bytes_are_peers_failure() -> None:
    """Bytes that are no data set are the peer's failure."""
    with raw_acceptor(odd_peer(implicit(0x00080020, b"20240101")[:-4])) as port:
        result = find(port, "StudyDate")
    assert result.exit_code == 1
    assert "\nError: " in result.stderr
    assert isinstance(result.exception, SystemExit)


def test_filter_here_asks_for_the_series_of_each_study() -> None:
    """A peer that leaves ModalitiesInStudy out is asked for the series on another association."""
    series = [
        entity("SERIES", StudyInstanceUID=f"1.2.{number}", Modality=modality,
               SeriesInstanceUID=f"1.2.{number}.{place}")
        for number, modalities in enumerate((("CT",), ("MR",), ("MR", "CT")))
        for place, modality in enumerate(modalities)
    ]  # fmt: skip
    archive = ScriptedArchive([*studies(3), *series], hidden=[0x00080061])
    with serving(archive) as port:
        result = find(port, "ModalitiesInStudy=CT", "PatientID", "--filter-here", "-f", "jsonl")
    assert result.exit_code == 0, result.stderr
    assert [json.loads(line)["PatientID"] for line in result.stdout.splitlines()] == ["P0", "P2"]
    assert "--filter-here dropped 1 answer." in result.stderr


def test_filter_here_without_a_second_association() -> None:
    """A peer that takes one association: what cannot be looked up is kept, and that is said."""
    archive = ScriptedArchive(studies(3), hidden=[0x00080061])
    ae = scp()
    ae.maximum_associations = 1
    with serving(archive, ae=ae) as port:
        result = find(port, "ModalitiesInStudy=CT", "PatientID", "--filter-here", "-f", "jsonl")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 3
    assert "Note: studies without Modalities in Study are kept: no association" in result.stderr


def test_filter_here_drops_other_values() -> None:
    answers = [
        (0xFF00, study(PatientID=patient, StudyInstanceUID=f"1.2.{number}"))
        for number, patient in enumerate(("A", "B", ""))
    ]
    with serving(Archive(*answers)) as port:
        result = find(port, "PatientID=A", "--filter-here", "--format", "jsonl")
    assert len(result.stdout.splitlines()) == 1
    assert "--filter-here dropped 2 answers." in result.stderr


def test_charset_of_peer_wins_over_the_named_one() -> None:
    name = implicit(0x00080005, b"ISO_IR 100") + implicit(0x00100010, b"M\xc3\xbcller^A ")
    peer = answering_each(lambda _: ([name], 0))
    with listening(peer) as port:
        wrong = find(port, "PatientName", "--format", "jsonl")
        right = find(port, "PatientName", "--format", "jsonl", "--charset-of-peer", "ISO_IR 192")
    assert "MÃ¼ller^A" in wrong.stdout
    assert "Müller^A" in right.stdout


def test_explain_shows_negotiation_and_bytes() -> None:
    with serving(Archive(JAN)) as port:
        result = find(port, "PatientName=CIT*", "StudyInstanceUID", "--explain", "--show-bytes")
    assert "Peer: DICOMQUEST_0_1; Study Root in Explicit VR Little Endian" in result.stderr
    assert "  Returned only: Study Instance UID" in result.stderr
    assert "  0000  08 00 52 00 43 53 06 00 53 54 55 44 59 20 " in result.stderr
