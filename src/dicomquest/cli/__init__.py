"""The command line ``dicomquest``; docs/reference/command-line.md describes its commands."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import click

from dicomquest import __version__
from dicomquest.cli.config_option import add_config_option
from dicomquest.cli.output_encoding import escape_missing_characters


class Command(NamedTuple):
    """One command: the function of a module, and the line about it in the list of commands."""

    module: str
    function: str
    words: str


# In the order in which a user meets them. The words stand here, not beside the functions, so that
# `dicomquest --help` imports no command.
COMMANDS = {
    "index": Command("dicomquest.cli.index_command", "index", "Read DICOM files into the index."),
    "watch": Command(
        "dicomquest.cli.watch_command", "watch", "Keep the index in step with folders."
    ),
    "check": Command("dicomquest.cli.check_command", "check", "Check the index, and repair it."),
    "copy-index": Command(
        "dicomquest.cli.copy_index_command", "copy", "Copy the index into another database."
    ),
    "attribute": Command(
        "dicomquest.cli.attribute_command", "attribute", "Give further attributes an index."
    ),
    "remove": Command(
        "dicomquest.cli.remove_command",
        "remove",
        "Remove patients, studies, series or instances from the index.",
    ),
    "serve": Command(
        "dicomquest.cli.serve_command",
        "serve",
        "Answer queries (C-FIND) from the index; store instances (C-STORE).",
    ),
    "web": Command(
        "dicomquest.cli.web_command", "web", "Answer DICOMweb searches from the index by HTTP."
    ),
    "worklist": Command(
        "dicomquest.cli.worklist_command", "worklist", "Keep the worklist that modalities ask for."
    ),
    "users": Command(
        "dicomquest.cli.users_command", "users", "Keep the users who may ask with a passcode."
    ),
    "find": Command(
        "dicomquest.cli.find_command", "find", "Query a peer and print the matches (C-FIND)."
    ),
    "show": Command(
        "dicomquest.cli.show_command", "show", "Print the header of a file or a stored instance."
    ),
    "explain": Command(
        "dicomquest.cli.explain_command",
        "explain",
        "Explain a query of the index, and why it finds nothing.",
    ),
    "get": Command(
        "dicomquest.cli.get_command", "get", "Fetch instances of a peer into a folder (C-GET)."
    ),
    "move": Command(
        "dicomquest.cli.move_command", "move", "Have a peer send instances elsewhere (C-MOVE)."
    ),
    "send": Command("dicomquest.cli.send_command", "send", "Send DICOM files to a peer (C-STORE)."),
    "config": Command(
        "dicomquest.cli.config_command", "config", "Show the settings that hold; check a file."
    ),
    "echo": Command("dicomquest.cli.echo_command", "echo", "Test the way to a peer (C-ECHO)."),
    "conform": Command(
        "dicomquest.cli.conform_command",
        "conform",
        "Check whether a peer answers queries as the Standard says.",
    ),
    "peers": Command(
        "dicomquest.cli.peers_command", "peers", "List, test, add and remove named peers."
    ),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        row = COMMANDS[cmd_name]
        command = getattr(import_module(row.module), row.function)
        assert isinstance(command, click.Command)  # noqa: S101
        add_config_option(command)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.words) for name, row in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the arguments; UsageError names the closest one for a wrong name."""
        from difflib import get_close_matches

        name = args[0]
        if name not in COMMANDS and not (name.startswith("-") or ctx.resilient_parsing):
            close = get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(COMMANDS)}"
            ctx.fail(f"{name!r} is not a command; {hint}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; no character of its output makes it fail."""
        escape_missing_characters()
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Ctrl-C that it does not handle (during its import) ends it with a line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from dicomquest.cli.messages import INTERRUPTED, give_up

            raise give_up("interrupted", INTERRUPTED) from None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, package_name="dicomquest")
def main() -> None:
    """Index or receive DICOM files, answer queries over them, query and feed any DICOM archive.

    \b
      dicomquest index /data/dicom
      dicomquest serve
      dicomquest find 127.0.0.1 11112 'PatientName=DOE*'

    `dicomquest COMMAND --help` has the options of a command, and examples.
    """  # noqa: D301
