"""Tables [destinations.TITLE] as destinations of the server."""

from __future__ import annotations

from typing import Any

import click
import pytest

from dicomquest.cli.configuration import NamedPeer, check_text
from dicomquest.cli.destinations import destinations_of
from dicomquest.cli.serve_settings import ServeSettings

TABLE = """
[destinations.WORKSTATION]
host = "ws.example"
port = 104
aet = "WS1"
transfer-syntaxes = ["1.2.840.10008.1.2"]
only-transfer-syntaxes = ["1.2.840.10008.1.2.1"]
most-associations = 2
dimse-timeout = 7
"""


def settings(text: str) -> ServeSettings:
    tables: dict[str, NamedPeer] = dict(check_text("file", text).destinations)
    options: dict[str, Any] = {"destination_timeout": 3.0, "store_timeout": 90.0}
    return ServeSettings(move_destinations=tables, **options)


def test_table_becomes_a_destination() -> None:
    [(title, found)] = destinations_of(settings(TABLE)).items()
    assert (title, found.host, found.port, found.own_ae_title) == ("WS1", "ws.example", 104, None)
    assert (found.preferred, found.most_associations) == (("1.2.840.10008.1.2",), 2)
    assert found.only == ("1.2.840.10008.1.2.1",)
    assert (found.timeouts.connect, found.timeouts.dimse) == (3.0, 7)


def test_table_without_a_port() -> None:
    with pytest.raises(click.UsageError, match=r"\[destinations.A\] has no port"):
        destinations_of(settings('[destinations.A]\nhost = "a"\n'))
