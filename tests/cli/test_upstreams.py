"""The options --upstream and the tables [upstreams.NAME] as upstreams."""

from __future__ import annotations

from typing import Any

import click
import pytest

from dicomquest.cli.configuration import check_text
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.settings.federation_settings import upstream_text
from dicomquest.cli.upstreams import upstreams_of
from dicomquest.errors import ConfigurationError
from dicomquest.standard.levels import Level
from dicomquest.standard.models import STUDY_ROOT

TABLE = """
[upstreams.main]
aet = "ARCHIVE"
host = "10.1.2.3"
port = 104
models = ["study"]
levels = ["STUDY", "SERIES"]
issuer = "HOSPITAL"
most-associations = 2
dimse-timeout = 7
own-aet = "GATEWAY"
"""


def settings(text: str = "", **values: Any) -> ServeSettings:
    return ServeSettings(upstreams=check_text("node.toml", text).upstreams, **values)


def test_table_says_all_of_an_upstream() -> None:
    (found,) = upstreams_of(settings(TABLE))
    assert (found.name, found.ae_title, found.host, found.port) == (
        "main",
        "ARCHIVE",
        "10.1.2.3",
        104,
    )
    assert (found.models, found.levels) == (
        (STUDY_ROOT,),
        frozenset({Level.STUDY, Level.SERIES}),
    )
    assert (found.issuer, found.most_associations) == ("HOSPITAL", 2)
    assert (found.timeouts.dimse, found.timeouts.first_response) == (7, 7)
    assert found.own_ae_title == "GATEWAY"


def test_option_is_an_upstream_and_changes_a_table() -> None:
    """An option with the name of a table changes its address, and keeps the rest."""
    given = ("main=OTHER@[::1]:11112", "more=MORE@localhost:4242")
    first, second = upstreams_of(settings(TABLE, upstream=given))
    assert (first.ae_title, first.host, first.port, first.issuer) == (
        "OTHER",
        "::1",
        11112,
        "HOSPITAL",
    )
    assert (second.name, second.own_ae_title) == ("more", "DICOMQUEST")


@pytest.mark.parametrize("text", ["main", "main=A@host", "main=@host:104", "a b=A@host:104"])
def test_text_of_upstream_is_checked(text: str) -> None:
    with pytest.raises(click.BadParameter, match="NAME=AET@HOST:PORT"):
        upstream_text(text)


@pytest.mark.parametrize("port", ["0", "99999"])
def test_port_of_upstream_is_checked(port: str) -> None:
    with pytest.raises(click.BadParameter, match=f"port {port} does not exist; write one of 1 to"):
        upstream_text(f"main=A@host:{port}")


def test_unusable_upstreams_are_refused() -> None:
    with pytest.raises(click.UsageError, match="has no port"):
        upstreams_of(settings('[upstreams.main]\nhost = "h"\n'))
    with pytest.raises(click.UsageError, match="asks nobody"):
        upstreams_of(settings(upstreams_only=True))
    with pytest.raises(ConfigurationError, match="issuers"):
        settings('[upstreams.main]\nissuers = "h"\n')


def test_archives_may_have_one_title() -> None:
    text = "".join(f'[upstreams.{name}]\naet = "ANY-SCP"\nhost = "h"\nport = 1\n' for name in "ab")
    assert [each.name for each in upstreams_of(settings(text))] == ["a", "b"]


def test_name_given_twice_is_refused() -> None:
    given = ("main=A@127.0.0.1:104", "main=B@127.0.0.1:105")
    with pytest.raises(click.UsageError, match="main is given twice"):
        upstreams_of(settings(TABLE, upstream=given))
