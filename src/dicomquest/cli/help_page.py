"""The page of ``--help``: a sentence, examples, grouped options, on one screen of 100 x 50."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import click

from dicomquest.cli.option_needs import check_needs

LINES, WIDTH = 50, 100
"""The screen that a page fits; ``--help-all`` is as long as it needs."""
LONGEST_DEFAULT = 40
"""Characters of a default beyond which only ``--help-all`` shows it."""
NAMES = 34
"""The column of the options' names; a longer one gets a line of its own."""

OTHERS = "Options"

# By the class of settings that an option comes from.
GROUP_OF_CLASS = {
    "OutputSettings": "How to show it",
    "TargetSettings": "What to ask",
    "AskingSettings": "The question in detail",
    "StoringSettings": "Index and storage",
    "WorklistSettings": "Worklist",
    "FederationSettings": "Other archives",
    "NetworkSettings": "Network",
    "AccessSettings": "Who may ask",
    "LimitSettings": "Limits",
    "MatchingSettings": "Matching",
    "LogSettings": "Log",
    "AuditSettings": "Audit trail",
    "HttpSettings": "The web",
    "WebOnlySettings": "The web",
    "MonitorSettings": "Monitoring",
    "MoveSettings": "Where it goes",
    "PickingSettings": "What to fetch",
    "KeepingSettings": "Where it goes",
    "PaceSettings": "How it goes",
}
# By the option, which goes before its class.
GROUP_OF_OPTION = {
    "level": "What to ask",
    "jobs": "The question in detail",
    "model": "What to ask",
    "key": "As findscu's users type it",
    "patient_root": "As findscu's users type it",
    "study_root": "As findscu's users type it",
    "worklist": "As findscu's users type it",
    "config": "Configuration file",
    "aec": "The peer",
    "aet": "The peer",
    "offer": "The question in detail",
    "charset": "The question in detail",
    "as_is": "The question in detail",
    "tls": "TLS",
    "tls_ca": "TLS",
    "tls_cert": "TLS",
    "tls_key": "TLS",
    "user": "Who asks",
    "password_file": "Who asks",
    "token_file": "Who asks",
    "connection_timeout": "Time-outs and sizes",
    "acse_timeout": "Time-outs and sizes",
    "dimse_timeout": "Time-outs and sizes",
    "max_pdu": "Time-outs and sizes",
}
RARE = {
    **dict.fromkeys(
        ("duplicates", "read_index", "retrieve_aet", "store_layout", "umask"), "Storage in detail"
    ),
    **dict.fromkeys(("csv_dialect", "csv_safe"), "CSV"),
}
"""The groups of settings of the first topics that few people need."""
# In the order in which a page lists them; those without a place stand where they first occur.
LAST_GROUPS = (
    "The question in detail", "CSV", "Matching", "Limits", "Audit trail", "The web", "Monitoring",
    "Log", "TLS", "Who asks", "Time-outs and sizes", "Storage in detail",
    "As findscu's users type it", "Configuration file",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Options under one heading."""

    title: str
    options: tuple[click.Option, ...]


class PageCommand(click.Command):
    """A command whose ``--help`` is one screen, and ``--help-all`` everything."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters, and --help-all beside --help."""
        return [*super().get_params(ctx), _help_all()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; UsageError for an option that means nothing without another one."""
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            check_needs(ctx)
        return rest

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the page of this command."""
        formatter.write("\n".join(page(self, ctx)) + "\n")


class PageGroup(click.Group):
    """A group of commands with such pages."""

    command_class = PageCommand


def _help_all() -> click.Option:
    def show(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value and not ctx.resilient_parsing:
            click.echo("\n".join(page(ctx.command, ctx, is_all=True)))
            ctx.exit()

    return click.Option(
        ["--help-all"], is_flag=True, is_eager=True, expose_value=False, hidden=True,
        callback=show, help="Show all options, and all there is to say.",
    )  # fmt: skip


def page(command: click.Command, ctx: click.Context, *, is_all: bool = False) -> list[str]:
    """Return the lines of the page; without ``is_all`` what does not fit is only named."""
    sentence, prose, examples = _parts(inspect.cleandoc(command.help or ""))
    usage = _usage(command, ctx)
    groups = _groups(command)
    top = [*usage, "", *_indented(sentence), *_section(examples)]
    explained = _section(_indented(*prose))
    if is_all:
        return [*top, *explained, *_options(groups, ctx, is_all=True), "", *_end()]
    for kept in (explained, []):
        lines = [*top, *kept, *_options(groups, ctx)]
        if len(lines) <= LINES - 2:
            return [*lines, "", *_end(is_prose_hidden=not kept and bool(explained))]
    for number in reversed(range(len(groups))):
        lines = [*top, *_options(groups[:number], ctx, groups[number:]), "", *_end()]
        if len(lines) <= LINES or not number:
            return lines
    return top


def _parts(text: str) -> tuple[str, list[str], list[str]]:
    """Take a docstring apart: its first paragraph, the other prose, and the lines of examples."""
    prose: list[str] = []
    examples: list[str] = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b"):
            examples += [f"  {line}" for line in paragraph.split("\n")[1:]]
        else:
            prose.append(" ".join(paragraph.split()))
    return prose[0] if prose else "", prose[1:], examples


def _usage(command: click.Command, ctx: click.Context) -> list[str]:
    text = f"Usage: {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}"
    return wrap(text, WIDTH, subsequent_indent=" " * 9, break_long_words=False)


def _indented(*paragraphs: str) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += ["", *wrap(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ")]
    return lines[1:]


def _section(lines: Sequence[str]) -> list[str]:
    return ["", *lines] if lines else []


def _groups(command: click.Command) -> list[Group]:
    found: dict[str, list[click.Option]] = {}
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            found.setdefault(_group_of(option), []).append(option)
    rank = {title: number for number, title in enumerate(LAST_GROUPS, 1)}
    titles = sorted(found, key=lambda title: (rank.get(title, 0), title == OTHERS))
    return [Group(title, tuple(found[title])) for title in titles]


def _group_of(option: click.Option) -> str:
    if option.name in RARE:
        return RARE[option.name]
    topic = GROUP_OF_CLASS.get(getattr(option, "topic", ""), OTHERS)
    # The server's own --tls-cert belongs to its network.
    if topic not in {OTHERS, "What to ask", "What to fetch"}:
        return topic
    return GROUP_OF_OPTION.get(option.name or "", topic)


def _options(
    groups: Sequence[Group],
    ctx: click.Context,
    folded: Sequence[Group] = (),
    *,
    is_all: bool = False,
) -> Iterator[str]:
    for group in groups:
        yield ""
        yield f"{group.title}:"
        for option in group.options:
            yield from _row(option, ctx, is_all=is_all)
    if folded:
        yield ""
        yield "More, with --help-all:"
        for group in folded:
            names = ", ".join(_long_name(option) for option in group.options)
            yield from wrap(
                f"{group.title}: {names}", WIDTH, initial_indent="  ", subsequent_indent="    ",
                break_on_hyphens=False,
            )  # fmt: skip


def _long_name(option: click.Option) -> str:
    return max(option.opts, key=len)


def _row(option: click.Option, ctx: click.Context, *, is_all: bool) -> list[str]:
    names = ", ".join(sorted(option.opts, key=len))
    if not option.is_flag:
        metavar = option.metavar or option.make_metavar(ctx)
        names += f" {metavar}"
    words = (option.help or "").rstrip() + _default(option, ctx, is_all=is_all)
    lines = wrap(words, WIDTH - NAMES - 2, break_on_hyphens=False) or [""]
    first = f"  {names}".ljust(NAMES)
    if len(first) > NAMES:
        return [first, *(" " * (NAMES + 2) + line for line in lines)]
    return [f"{first}  {lines[0]}", *(" " * (NAMES + 2) + line for line in lines[1:])]


def _default(option: click.Option, ctx: click.Context, *, is_all: bool) -> str:
    extra = option.get_help_extra(ctx)
    if extra.get("required"):
        return "  [required]"
    default = extra.get("default", "")
    return f"  [{default}]" if default and (is_all or len(default) <= LONGEST_DEFAULT) else ""


def _end(*, is_prose_hidden: bool = False) -> list[str]:
    words = "--help-all has more words" if is_prose_hidden else "--help-all shows all there is"
    return [f"  -h, --help shows this page, {words}."]
