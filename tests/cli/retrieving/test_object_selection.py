"""`get` and `move` of objects without a patient: what is asked, fetched, and refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import Dataset, dcmread

from dicomquest import AE, evt
from dicomquest.ae.background import RunningServer
from dicomquest.aio.server import Server
from dicomquest.cli import main
from dicomquest.cli.configuration import NamedPeer
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.server_assembly import server_settings
from dicomquest.index import Index
from dicomquest.sop_class import HangingProtocolStorage
from dicomquest.standard.models import COLOR_PALETTE, HANGING_PROTOCOL
from fixtures.building import data_set
from fixtures.faces import HOST
from fixtures.objects import made, with_meta, write_object
from peers.processes import free_port

MODEL = ("-m", "hanging-protocol")


@dataclass
class Archive:
    """A server of three hanging protocols and a palette, and the port of its destination LAB."""

    port: int
    lab: int

    def run(self, command: str, *arguments: str) -> Result:
        return CliRunner().invoke(main, [command, HOST, str(self.port), *arguments])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder, lab = tmp_path_factory.mktemp("objects"), free_port()
    (folder / "files").mkdir()
    for number in (1, 2, 3):
        definition = [data_set(Modality="CT" if number < 3 else "MR")]
        write_object(
            folder / "files" / f"{number}.dcm",
            made(
                HANGING_PROTOCOL, number, HangingProtocolName=f"P{number}",
                HangingProtocolDefinitionSequence=definition,
            ),
        )  # fmt: skip
    write_object(folder / "files" / "9.dcm", made(COLOR_PALETTE, 9, ContentLabel="HOT_IRON"))
    table = NamedPeer("LAB", {"host": HOST, "port": lab}, {})
    settings = replace(
        ServeSettings(index=str(folder / "index.sqlite")), move_destinations={"LAB": table}
    )
    with Index(folder / "index.sqlite") as index:
        index.ingest([folder / "files"])
        server = RunningServer(lambda: Server(server_settings(settings, index)), (HOST, 0))
        server.start()
        yield Archive(server.server_address[1], lab)
        server.shutdown()


def names(folder: Path) -> list[str]:
    """The names of the hanging protocols in a folder."""
    return sorted(str(dcmread(each).HangingProtocolName) for each in folder.rglob("*.dcm"))


@pytest.mark.requirement("NP-007", "NP-008")
def test_get_fetches_what_matches(archive: Archive, tmp_path: Path) -> None:
    """A key of an item selects; what is there is not fetched again."""
    arguments = (*MODEL, "Modality=CT", "-o", str(tmp_path))
    result = archive.run("get", *arguments)
    assert result.exit_code == 0, result.stderr
    assert names(tmp_path) == ["P1", "P2"]
    read_back, found, done, _ = result.stderr.splitlines()
    assert read_back.startswith("hanging protocols whose ")
    assert found == "2 hanging protocols"
    assert done.startswith("2 instances (")
    again = archive.run("get", *arguments)
    assert "Nothing is left to fetch: 2 instances are there already\n" in again.stderr


@pytest.mark.requirement("NP-008")
def test_star_is_all_of_them(archive: Archive, tmp_path: Path) -> None:
    result = archive.run("get", *MODEL, "SOPInstanceUID=*", "-o", str(tmp_path), "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    assert names(tmp_path) == ["P1", "P2", "P3"]
    palette = archive.run(
        "get", "-m", "color-palette", "SOPInstanceUID=1.2.9.9", "-o", str(tmp_path / "palettes")
    )
    assert palette.exit_code == 0, palette.stderr
    assert "1 color palette\n" in palette.stderr
    nothing = archive.run("get", *MODEL, "HangingProtocolName=X*", "-o", str(tmp_path))
    assert nothing.stderr.splitlines()[-1] == "No hanging protocols."


@pytest.mark.requirement("NP-008")
def test_own_storage_scp_receives(archive: Archive, tmp_path: Path) -> None:
    own = ("--aet", "LAB", "--storage-scp", f"{HOST}:{archive.lab}", "-o", str(tmp_path))
    result = archive.run("move", *MODEL, "HangingProtocolName=P?", *own)
    assert result.exit_code == 0, result.stderr
    assert names(tmp_path) == ["P1", "P2", "P3"]


def test_peer_without_queries_gets_the_uids(tmp_path: Path) -> None:
    """UIDs alone are asked for as they are if the peer takes no queries."""
    asked: list[Dataset] = []

    def give(event: evt.Event) -> Iterator[int | tuple[int, Dataset]]:
        asked.append(event.identifier)
        yield 1
        yield 0xFF00, with_meta(made(HANGING_PROTOCOL, 1, HangingProtocolName="P1"))

    ae = AE("PACS")
    ae.add_supported_context(HANGING_PROTOCOL.get_uid)
    ae.add_supported_context(HangingProtocolStorage, scu_role=True, scp_role=True)
    with ae.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_C_GET, give)]) as server:
        place = (HOST, str(server.server_address[1]))
        command = ["get", *place, *MODEL, "SOPInstanceUID=1.2.9.1", "-o", str(tmp_path)]
        result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.stderr
    assert "the UIDs are asked for as they are" in result.stderr
    assert names(tmp_path) == ["P1"]
    assert [list(each.keys()) for each in asked] == [[0x00080018]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["HangingProtocolName"], "SOPInstanceUID=* is all hanging protocols"),
        (["-L", "IMAGE", "SOPInstanceUID=1.2"], "model hanging-protocol has one level"),
        (["QueryRetrieveLevel=IMAGE"], "model hanging-protocol has no levels; leave it out"),
    ],
)
def test_wrong_keys_are_refused(arguments: list[str], words: str, tmp_path: Path) -> None:
    command = ["get", HOST, "1", *MODEL, *arguments, "-o", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
