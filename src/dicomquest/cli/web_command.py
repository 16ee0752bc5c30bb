"""``dicomquest web``: the web services of an index, without DIMSE (PS3.18 10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import click

from dicomquest.cli.config_option import config_option
from dicomquest.cli.serve_command import ARGUMENTS, ServeCommand, make_settings, read_again, run
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.shared_options import host_and_port, network_address, options_of, setting

OF_DIMSE = (
    "host", "port", "retrieve_aet", "check_aet", "worklist", "hl7", "hl7_from", "hl7_mapping",
    "hide_steps", "max_hl7_connections", "max_hl7_message", "hl7_timeout",
    "hl7_idle_timeout", "max_step", "hl7_tls",
    "upstream", "upstreams_only", "merge_wait", "incomplete_is_success",
    "destinations", "destination_timeout", "store_timeout", "caller_port", "assume_roles",
    "max_retrieves", "max_retrieve_instances", "max_associations_per_ae", "artim_timeout",
    "idle_timeout", "max_pdu", "max_command_set", "max_waiting_requests",
    "max_identifier", "max_keys", "max_nesting", "max_items", "max_text", "max_values", "max_uids",
    "max_wild_cards", "max_values_of_all",
)  # fmt: skip
"""The settings of ``serve`` that a server without DIMSE has no use for."""


@dataclass(frozen=True)
class WebOnlySettings(ServeSettings):
    """The settings of a server that answers by HTTP alone."""

    has_dimse: ClassVar[bool] = False

    http: str | None = setting(
        "127.0.0.1:8080",
        "Answer on this port, of this machine alone unless there is a HOST.",
        type=network_address,
        metavar="[HOST:]PORT",
    )


@click.command(cls=ServeCommand, params=[config_option()])
@options_of(WebOnlySettings, leave_out=OF_DIMSE)
def web(**values: Any) -> None:
    """Answer DICOMweb from the index, until SIGINT or SIGTERM.

    It searches (QIDO-RS) and, with --store FOLDER, takes instances (STOW-RS).

    `dicomquest serve --http PORT` does the same beside DIMSE.

    \b
    Answer programs of this machine at http://127.0.0.1:8080/dicom-web:
      dicomquest web
    Answer the whole network by HTTPS, whoever has a user name and its passcode:
      dicomquest web --http 0.0.0.0:8443 --tls-cert server.pem --users-file users

    The exit status is 0 after SIGINT or SIGTERM, 1 if the server cannot start or fails, 2 if the
    command line or the configuration file is wrong.
    """  # noqa: D301
    ctx = click.get_current_context()
    settings = make_settings(ctx, values, WebOnlySettings)
    assert settings.http is not None  # noqa: S101  the option has a default
    # The rules of who may ask are told for this address.
    host, port = host_and_port(settings.http)
    settings = replace(settings, host=host, port=port)
    run(settings, partial(read_again, ctx.meta[ARGUMENTS], web, WebOnlySettings))
