"""The command line: the commands below, described in docs/cli.md."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from dicomquest import __version__

COMMANDS = {
    # name: module, function; imported when asked for, so that --help starts at once
    "index": ("dicomquest.cli.index_command", "index"),
    "watch": ("dicomquest.cli.watch_command", "watch"),
    "check": ("dicomquest.cli.check_command", "check"),
    "attribute": ("dicomquest.cli.attribute_command", "attribute"),
    "remove": ("dicomquest.cli.remove_command", "remove"),
    "serve": ("dicomquest.cli.serve_command", "serve"),
    "find": ("dicomquest.cli.find_command", "find"),
    "send": ("dicomquest.cli.send_command", "send"),
    "echo": ("dicomquest.cli.echo_command", "echo"),
}


class LazyGroup(click.Group):
    """A group whose commands are imported by need."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name]
        command = getattr(import_module(module), function)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Ctrl-C that it does not speak of itself, as while it is imported, is a line, too."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            from dicomquest.cli.peer import INTERRUPTED, give_up

            raise give_up("interrupted", INTERRUPTED) from None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, package_name="dicomquest")
def main() -> None:
    """Index or receive DICOM files, answer C-FIND queries over them, and query any DICOM archive or send to it."""
