"""A Find SCP and SCU made with pynetdicom: ``scp``, ``find`` and ``find-files`` (see ``main``).

They run as processes, so that their threads and logging stay out of the tests.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pydicom
from pynetdicom import AE, evt

MODELS = {
    "patient": "1.2.840.10008.5.1.4.1.2.1.1",
    "study": "1.2.840.10008.5.1.4.1.2.2.1",
    "psonly": "1.2.840.10008.5.1.4.1.2.3.1",
    "worklist": "1.2.840.10008.5.1.4.31",
}
VERIFICATION = "1.2.840.10008.1.1"
UNIQUE_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
SYNTAXES = {"explicit": "1.2.840.10008.1.2.1", "implicit": "1.2.840.10008.1.2"}


def answer(
    instances: Sequence[pydicom.Dataset], identifier: pydicom.Dataset
) -> Iterator[tuple[int, pydicom.Dataset]]:
    """Match each entity by wild card, text against text."""
    level = identifier.QueryRetrieveLevel
    seen = set()
    for instance in instances:
        unique = str(instance[UNIQUE_KEYS[level]].value)
        keys = [
            key
            for key in identifier
            if key.keyword not in {"QueryRetrieveLevel", "SpecificCharacterSet"}
        ]
        if unique in seen or not all(
            fnmatch.fnmatchcase(
                str(instance.get(key.keyword, "")), "*" if key.is_empty else str(key.value)
            )
            for key in keys
        ):
            continue
        seen.add(unique)
        response = pydicom.Dataset()
        if "SpecificCharacterSet" in instance:
            response.SpecificCharacterSet = instance.SpecificCharacterSet
        for key in keys:
            setattr(response, key.keyword, instance.get(key.keyword, ""))
        response.QueryRetrieveLevel = level
        response.RetrieveAETitle = "PYNETDICOM"
        yield 0xFF00, response


def serve(arguments: argparse.Namespace) -> None:
    """Print the port once it listens, and serve until the end of standard input."""
    instances = [pydicom.dcmread(path) for path in sorted(arguments.folder.iterdir())]

    def handle_find(event: evt.Event) -> Iterator[tuple[int, pydicom.Dataset | None]]:
        for status, response in answer(instances, event.identifier):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            yield status, response

    ae = AE(ae_title="PYNETDICOM")
    for context in (*MODELS.values(), VERIFICATION):
        ae.add_supported_context(context)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, handle_find)]
    )
    assert server is not None
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()


def find(arguments: argparse.Namespace) -> None:
    """Print the status and the identifier of each response, as a line of JSON."""
    identifier = pydicom.Dataset()
    for key in arguments.keys:
        keyword, _, value = key.partition("=")
        setattr(identifier, keyword, value)
    if not all(key.isascii() for key in arguments.keys):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    with_association(arguments, [identifier])


def find_files(arguments: argparse.Namespace) -> None:
    """As ``find``, with identifiers of files, byte for byte, one after the other."""
    with_association(arguments, map(pydicom.dcmread, arguments.paths))


def with_association(arguments: argparse.Namespace, identifiers: Iterable[pydicom.Dataset]) -> None:
    """Associate, send the identifiers, and release."""
    ae = AE(ae_title="PYNETDICOM")
    ae.add_requested_context(MODELS[arguments.model], SYNTAXES[arguments.syntax])
    association = ae.associate(
        arguments.host, arguments.port, ae_title=arguments.aec, max_pdu=arguments.max_pdu
    )
    if not association.is_established:
        sys.exit("no association")
    for number, identifier in enumerate(identifiers):
        for status, response in association.send_c_find(identifier, MODELS[arguments.model]):
            message: dict[str, Any] = {
                "query": number,
                "status": status.Status if "Status" in status else None,
            }
            if response is not None:
                message["identifier"] = response.to_json_dict()
            print(json.dumps(message), flush=True)
    association.release()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    scp = commands.add_parser("scp")
    scp.add_argument("folder", type=Path)
    scp.set_defaults(run=serve)
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("host")
    where.add_argument("port", type=int)
    scu = commands.add_parser("find", parents=[where])
    scu.add_argument("keys", nargs="*")
    scu.set_defaults(run=find)
    files = commands.add_parser("find-files", parents=[where])
    files.add_argument("paths", nargs="*", type=Path)
    files.set_defaults(run=find_files)
    for each in (scu, files):
        each.add_argument("--model", choices=MODELS, default="study")
        each.add_argument("--aec", default="ANY-SCP")
        each.add_argument("--syntax", choices=SYNTAXES, default="explicit")
        each.add_argument("--max-pdu", type=int, default=16382)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
