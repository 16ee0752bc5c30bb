"""``dicomquest conform``: check whether a peer answers C-FIND as PS3.4 Annex C says."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import FAILED, INTERRUPTED, give_up, say
from dicomquest.cli.named_peers import PeerArgument
from dicomquest.cli.peer import PeerSettings, associate, peer_name
from dicomquest.cli.shared_options import PORT, FiniteRange, options_of, setting
from dicomquest.errors import AssociationError

if TYPE_CHECKING:
    from dicomquest.cli.conform.outcome import Check, Result
    from dicomquest.cli.conform.questioner import Questioner


@dataclass(frozen=True, slots=True)
class ConformSettings(PeerSettings):
    """The checks to run, the manner of the report, and the way to the peer."""

    worklist: bool = setting(
        False,
        "Check the Modality Worklist instead of Query/Retrieve.",
        is_flag=True,
        short=("-W",),
        envvar=None,
    )
    only: tuple[str, ...] = setting(
        (), "Run only these checks; * and ? are wild cards. May be repeated.",
        multiple=True, metavar="CHECK", envvar=None,
    )  # fmt: skip
    skip: tuple[str, ...] = setting(
        (), "Leave these checks out. May be repeated.", multiple=True, metavar="CHECK", envvar=None
    )
    rate: float = setting(
        10.0, "Ask at most this many questions a second.",
        type=FiniteRange(0.1, 10_000), metavar="NUMBER", envvar=None,
    )  # fmt: skip
    format: str = setting(
        "text", "The form of the report: text, json or junit.",
        type=click.Choice(["text", "json", "junit"]), metavar="FORM", envvar=None,
    )  # fmt: skip


def _list_checks(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if not is_wanted or ctx.resilient_parsing:
        return
    from dicomquest.cli.conform.check_table import ALL_CHECKS

    for check in ALL_CHECKS:
        click.echo(f"{check.identifier:<30} {check.clause:<14} {check.words}")
    ctx.exit()


def _describe(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    if name is None or ctx.resilient_parsing:
        return
    from dicomquest.cli.conform.reports import description

    is_worklist = name.startswith("worklist")
    click.echo("\n\n".join(map(description, chosen([name], (), is_worklist=is_worklist))))
    ctx.exit()


@click.command(cls=PageCommand)
@click.argument("host", cls=PeerArgument, metavar="PEER|HOST")
@click.argument("port", type=PORT, metavar="[PORT]")
@click.option(
    "--list",
    "lists",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_checks,
    help="List the checks with their clauses of PS3.4, and ask nothing.",
)
@click.option(
    "--describe",
    metavar="CHECK",
    is_eager=True,
    expose_value=False,
    callback=_describe,
    help="Print what a check asks, what passes and fails, and what to tell the vendor.",
)
@options_of(ConformSettings)
def conform(host: str, port: int, **values: Any) -> None:
    """Check whether the archive at HOST and PORT, or PEER, answers C-FIND as the Standard says.

    With -W it checks the worklist of a RIS instead.

    \b
      dicomquest conform pacs1
      dicomquest conform pacs 104 --aec ARCHIVE --rate 2
      dicomquest conform pacs1 --only 'wild-*' --skip wild-uid
      dicomquest conform pacs1 --format junit > conform.xml
      dicomquest conform ris -W
      dicomquest conform --list
      dicomquest conform --describe wild-uid

    It only reads: it learns what the peer holds by a few queries, and then asks for what it knows.
    A check that the peer's data cannot decide is "not decided", never "passed". The exit status is
    0 if no check failed, 1 if one failed or there is no association, 2 if the command line is
    wrong, 130 after Ctrl-C.
    """  # noqa: D301
    settings = ConformSettings(**values)
    checks = chosen(settings.only, settings.skip, is_worklist=settings.worklist)
    settings.tell_if_readable(host)
    run(host, port, settings, checks)


def chosen(only: Sequence[str], skip: Sequence[str], *, is_worklist: bool = False) -> list[Check]:
    """Return the checks to run; UsageError for a name that is no check's."""
    from dicomquest.cli.conform.check_table import CHECKS, WORKLIST_CHECKS

    those, others = (WORKLIST_CHECKS, CHECKS) if is_worklist else (CHECKS, WORKLIST_CHECKS)
    for pattern in (*only, *skip):
        if any(fnmatchcase(check.identifier, pattern) for check in those):
            continue
        if any(fnmatchcase(check.identifier, pattern) for check in others):
            remedy = "is for Query/Retrieve; leave -W out" if is_worklist else "needs -W"
            raise click.UsageError(f"{pattern!r} {remedy}")
        raise click.UsageError(f"{pattern!r} is no check; `dicomquest conform --list` names them")
    checks = [
        check
        for check in those
        if (not only or _is_named(check, only)) and not _is_named(check, skip)
    ]
    if not checks:
        raise click.UsageError("--only and --skip leave no check")
    return checks


def _is_named(check: Check, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(check.identifier, pattern) for pattern in patterns)


def run(host: str, port: int, settings: ConformSettings, checks: Sequence[Check]) -> None:
    """Check a peer, and print the report; raise click's Exit if a check failed."""
    from dicomquest.cli.conform.outcome import Outcome
    from dicomquest.cli.conform.questioner import Questioner
    from dicomquest.cli.conform.reports import as_json, as_junit, counts, line
    from dicomquest.cli.output.page import terminal_size
    from dicomquest.standard.models import MODALITY_WORKLIST, MODELS

    models = (MODALITY_WORKLIST,) if settings.worklist else MODELS
    # The first association says in words why there is none.
    try:
        associate(host, port, settings, [model.uid for model in models]).release()
    except AssociationError as error:
        raise give_up(str(error)) from error
    name = peer_name(host, port, settings)
    peer = Questioner(
        lambda uids, extended: associate(host, port, settings, uids, extended), settings.rate
    )
    results: list[Result] = []
    size = terminal_size(sys.stdout)
    width = size[0] if size is not None else None
    try:
        for result in results_of(peer, checks, is_worklist=settings.worklist):
            results.append(result)
            if settings.format == "text":
                click.echo(line(result, width))
    except KeyboardInterrupt:
        words = f"interrupted after {len(results)} of {len(checks)} checks"
        raise give_up(words, INTERRUPTED) from None
    finally:
        peer.close()
    if settings.format == "json":
        click.echo(as_json(name, results))
    elif settings.format == "junit":
        click.echo(as_junit(name, results))
    say(f"{name}: {counts(results)} ({peer.questions} questions)")
    failures = [each for each in results if each.verdict.outcome is Outcome.FAILED]
    if failures and settings.format == "text":
        name = failures[0].check.identifier
        say(f"`dicomquest conform --describe {name}` says more, and what to tell the vendor.")
    if failures:
        raise click.exceptions.Exit(FAILED)


def results_of(
    peer: Questioner, checks: Iterable[Check], *, is_worklist: bool = False
) -> Iterator[Result]:
    """Learn what the peer holds, and yield the result of each check as it comes."""
    from dicomquest.cli.conform.holdings import learn, learn_steps
    from dicomquest.cli.conform.outcome import Result

    held = learn_steps(peer) if is_worklist else learn(peer)
    for check in checks:
        began = perf_counter()
        verdict = check.judge(peer, held)
        yield Result(check, verdict, perf_counter() - began)
