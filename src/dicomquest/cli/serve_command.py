"""``dicomquest serve``: answer queries from the index, store instances (PS3.4 B, C)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import click

from dicomquest.cli.config_option import config_option, configured
from dicomquest.cli.file_rights import new_files_without
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import give_up, index_failure
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.cli.shared_options import options_of, server_tls
from dicomquest.errors import ConfigurationError, IndexDatabaseError, LayoutError

ARGUMENTS = "dicomquest.cli.serve_command.arguments"
"""The key of click's context under which ``serve`` keeps its arguments."""


class ServeCommand(PageCommand):
    """The command, which keeps its arguments so that the settings can be read again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and keep them."""
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


@click.command(cls=ServeCommand, params=[config_option()])
@options_of(ServeSettings)
def serve(**values: Any) -> None:
    """Answer queries and retrieves from the index, until SIGINT or SIGTERM.

    It is an SCP of C-FIND, C-GET, C-MOVE and C-ECHO.

    With --store FOLDER the server also receives instances (C-STORE): it keeps each in the folder,
    and has it in the index before it answers. Several nodes can share an index on PostgreSQL, with
    queries on its replica (--read-index).

    \b
    Serve the index in this folder to programs of this machine:
      dicomquest serve
    Serve the whole network, on the usual port, with two processes:
      dicomquest serve --index /srv/dicom.sqlite --host 0.0.0.0 --port 104 --workers 2
    Receive instances too, into a folder where people find them:
      dicomquest serve --store /srv/dicom --host 0.0.0.0
    Over TLS, for clients with a certificate of the hospital:
      dicomquest serve --port 2762 --tls-cert server.pem --tls-key server.key --tls-ca hospital.pem

    SIGTERM ends it: no new association begins, and running requests get --grace seconds; a second
    SIGTERM ends it at once. SIGHUP reads the configuration file and the certificates again.

    The exit status is 0 after SIGINT or SIGTERM, 1 if the server cannot start or fails, 2 if the
    command line or the configuration file is wrong.
    """  # noqa: D301
    ctx = click.get_current_context()
    run(make_settings(ctx, values), partial(read_again, ctx.meta[ARGUMENTS]))


def read_again(
    arguments: Sequence[str],
    command: click.Command = serve,
    kind: type[ServeSettings] = ServeSettings,
) -> ServeSettings:
    """Read the environment and the file anew; ConfigurationError says what is wrong.

    ``arguments`` are those that the command was started with, which win over both as before.
    """
    try:
        with command.make_context(command.name, list(arguments)) as ctx:
            return make_settings(ctx, ctx.params, kind)
    except click.ClickException as error:
        raise ConfigurationError(error.format_message().split("\n")) from error


def make_settings(
    ctx: click.Context, values: Mapping[str, Any], kind: type[ServeSettings] = ServeSettings
) -> ServeSettings:
    """Make the settings of the values of the options, and of what only the file can set."""
    configuration = configured(ctx)
    of_file = {name: value for name, value in configuration.settings.items() if name not in values}
    return kind(
        **values,
        **of_file,
        peers=configuration.rules,
        move_destinations=configuration.destinations,
        upstreams=configuration.upstreams,
    )


def check_settings(settings: ServeSettings) -> None:
    """Raise UsageError for settings that do not fit each other, or name unusable files."""
    from dicomquest.cli.access_rules import check_access
    from dicomquest.cli.destinations import destinations_of
    from dicomquest.cli.server_monitor import check_audit
    from dicomquest.cli.upstreams import upstreams_of
    from dicomquest.store.places import parse_layout

    # Made again by each process; made here first so that a wrong file is told before any starts.
    context = server_tls(settings.tls_cert, settings.tls_key, settings.tls_ca)
    if settings.hl7_tls and context is None:
        raise click.UsageError("--hl7-tls needs the server's own certificate: add --tls-cert FILE")
    check_access(settings)
    check_audit(settings)
    destinations_of(settings)
    upstreams_of(settings)
    try:
        parse_layout(settings.store_layout)
    except LayoutError as error:
        raise click.UsageError(f"--store-layout: {error}") from error


def run(settings: ServeSettings, reread: Callable[[], ServeSettings] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; raise click's Exit if that is not possible."""
    from dicomquest.cli.access_rules import tell_who_may_ask
    from dicomquest.cli.bound_ports import cannot_listen
    from dicomquest.cli.hl7_side import reserved_hl7_port
    from dicomquest.cli.log_output import log_to_stderr
    from dicomquest.cli.server_monitor import shared_metrics
    from dicomquest.cli.server_processes import run_processes
    from dicomquest.cli.web_side import reserved_web_port

    log_to_stderr(
        settings.log_level,
        names_process=settings.workers > 1,
        form=settings.log_format,
        names_keys=settings.log_keys,
    )
    check_settings(settings)
    with new_files_without(settings.umask):
        _prepare(settings)
        tell_who_may_ask(settings)
        try:
            with (
                shared_metrics(settings) as measured,
                reserved_hl7_port(measured) as prepared,
                reserved_web_port(prepared) as ready,
            ):
                run_processes(ready, reread)
        except IndexDatabaseError as error:
            raise index_failure(error) from error
        except OSError as error:
            raise give_up(cannot_listen(settings.host, settings.port, error)) from error


def _prepare(settings: ServeSettings) -> None:
    """Make what is missing, and put right what an earlier server has left."""
    from dicomquest.cli.server_assembly import (
        make_store_folder,
        open_index,
        prepare_store,
        tell_read_only,
    )
    from dicomquest.cli.server_monitor import audit_sink

    try:
        make_store_folder(settings)
        with open_index(settings) as index:
            tell_read_only(settings, index)
            prepare_store(settings, index)
    except IndexDatabaseError as error:
        raise index_failure(error) from error
    # Opened again by each process; here first, so that a wrong path is told before any starts.
    if (sink := audit_sink(settings)) is not None:
        sink.close()
