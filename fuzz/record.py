"""``python -m fuzz.record``: record the corpus anew, from the programs of others on this machine.

A proxy between each program and a server keeps what both send. It needs the programs of DCMTK,
gdcmscu and Orthanc, and the folder ``tests`` in PYTHONPATH.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pydicom.data

from dicomquest.pdu.items import ItemType, iterate_items
from dicomquest.pdu.pdus import AAssociateAC, PDataTF
from dicomquest.pdu.reader import PduReader
from fuzz.__main__ import FOLDER, TARGETS
from fuzz.identifier import SYNTAXES
from peers import corpus, dcmtk, gdcm, ours
from peers.orthanc import orthanc
from peers.processes import Peer

LONGEST = 8 * 1024
"""Bytes of a record; longer ones say no more."""
MOST_OF_A_TARGET = 40


@contextlib.contextmanager
def recorded(peer: Peer, streams: list[tuple[bytes, bytes]]) -> Iterator[Peer]:
    """Stand between clients and a peer, and keep both directions of each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, peer, streams), daemon=True).start()
        yield replace(peer, port=listener.getsockname()[1])


def _accept(listener: socket.socket, peer: Peer, streams: list[tuple[bytes, bytes]]) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((peer.host, peer.port))
            sent, answered = bytearray(), bytearray()
            back = threading.Thread(target=_pass, args=(server, client, answered))
            back.start()
            _pass(client, server, sent)
            back.join()
            streams.append((bytes(sent), bytes(answered)))


def _pass(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def main() -> None:
    """Ask each server by each client, and write what went over the wire."""
    streams: list[tuple[bytes, bytes]] = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        (folder / "files").mkdir()
        paths = corpus.write(folder / "files")
        ours.index(folder / "index.sqlite", folder / "files")
        for begin in (
            lambda: ours.serve(folder / "index.sqlite"),
            lambda: dcmtk.dcmqrscp(folder / "dcmqrscp", paths),
            lambda: orthanc(folder / "orthanc", paths),
        ):
            (folder / "dcmqrscp").mkdir(exist_ok=True)
            (folder / "orthanc").mkdir(exist_ok=True)
            ask(stack.enter_context(recorded(stack.enter_context(begin()), streams)), paths)
    write(streams)


def ask(peer: Peer, paths: list[Path]) -> None:
    """Ask and send as people do."""
    keys: tuple[dict[str, str], ...] = (
        {"PatientName": "C*", "StudyDate": "20000101-", "StudyInstanceUID": ""},
        {"PatientID": "12345678", "ModalitiesInStudy": "CT\\MR", "StudyTime": "10-12"},
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "山*"},
    )
    dcmtk.echoscu(peer)
    gdcm.gdcmscu_echo(peer)
    for each in keys:
        for model in ("study", "patient"):
            dcmtk.findscu(peer, "STUDY", each, model=model)
        ours.find(peer, "STUDY", {key: value for key, value in each.items() if "Set" not in key})
    dcmtk.storescu(peer, paths[:2])


def write(streams: list[tuple[bytes, bytes]]) -> None:
    """Cut the streams into the records of each target."""
    found: dict[str, list[bytes]] = {target: [] for target in TARGETS}
    for sent, answered in streams:
        found["session"].append(sent)
        found["pdu"] += [sent, answered]
        syntaxes = _syntaxes(answered)
        for stream, target in ((sent, "identifier"), (answered, "response")):
            found["items"] += _items(stream)
            for command, context_id, data in _messages(stream):
                if command:
                    found["command_set"].append(data)
                elif syntaxes.get(context_id) in SYNTAXES:
                    choice = SYNTAXES.index(syntaxes[context_id])
                    found[target].append(bytes([choice]) + data)
    files = Path(str(pydicom.data.__path__[0]))
    for path in sorted(files.rglob("*.dcm")):
        found["file_header"].append(path.read_bytes()[: LONGEST // 2])
    for target, records in found.items():
        folder = FOLDER / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        short = {each for each in records if 0 < len(each) <= LONGEST}
        for record in sorted(short, key=lambda each: blake2b(each).digest())[:MOST_OF_A_TARGET]:
            (folder / blake2b(record, digest_size=8).hexdigest()).write_bytes(record)
        sys.stdout.write(f"{target}: {len(short)} records\n")


def _pdus(stream: bytes) -> Iterator[object]:
    reader = PduReader(1 << 20, 1 << 20)
    reader.feed(stream)
    while (pdu := reader.next_pdu()) is not None:
        yield pdu


def _syntaxes(stream: bytes) -> dict[int, str]:
    """Return the transfer syntax of each accepted presentation context."""
    return {
        context.context_id: context.transfer_syntax
        for pdu in _pdus(stream)
        if isinstance(pdu, AAssociateAC)
        for context in pdu.presentation_contexts
    }


def _messages(stream: bytes) -> Iterator[tuple[bool, int, bytes]]:
    """Give each command set and data set of a stream."""
    data = bytearray()
    for pdu in _pdus(stream):
        for pdv in pdu.pdvs if isinstance(pdu, PDataTF) else ():
            data += pdv.fragment
            if pdv.is_last:
                yield pdv.is_command, pdv.context_id, bytes(data)
                data.clear()


def _items(stream: bytes) -> list[bytes]:
    """Return the items of the A-ASSOCIATE PDU at the beginning, and all of them together."""
    length = int.from_bytes(stream[2:6], "big")
    body = stream[6 : 6 + length]
    if stream[:1] not in {b"\1", b"\2"}:
        return []
    kinds: Callable[[int], bool] = lambda kind: kind != ItemType.APPLICATION_CONTEXT  # noqa: E731
    items = [content for kind, content in iterate_items(body[68:], "PDU") if kinds(kind)]
    return [body[68:], *items]


if __name__ == "__main__":
    main()
