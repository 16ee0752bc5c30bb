"""``dicomquest index``: read the headers of DICOM files into the index."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.counting import counted, counted_each, counted_files, number_of
from dicomquest.cli.file_rights import new_files_without, umask_option
from dicomquest.cli.help_page import PageCommand
from dicomquest.cli.messages import give_up, index_failures, say
from dicomquest.cli.shared_options import (
    index_option,
    jobs_option,
    partitions_option,
    timezone_option,
)
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.index import Index
    from dicomquest.index.ingest.file_batch import Summary
    from dicomquest.index.ingest.instance import Skipped
    from dicomquest.index.upkeep.disagreements import Disagreement
    from dicomquest.index.upkeep.prune import Pruned


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """The command line of ``dicomquest index``."""

    paths: tuple[str, ...]
    location: str
    jobs: int | None
    timezone: int | None
    partitions: int | None
    umask: str
    reread: bool
    prune: bool
    prune_empty: bool
    verbose: bool
    quiet: bool


@click.command(cls=PageCommand)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@index_option
@jobs_option
@timezone_option
@partitions_option
@umask_option
@click.option(
    "--reread",
    is_flag=True,
    help="Read unchanged files, too, for what an older version did not keep of them.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="Afterwards remove the instances whose files below PATH are gone.",
)
@click.option(
    "--prune-empty",
    is_flag=True,
    help="Prune also a PATH that is missing or holds no file. Without this option such a PATH may "
    "be an unmounted share, and its instances stay.",
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Name each skipped file, with the reason, and patients whose studies disagree.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress bar.")
def index(paths: tuple[str, ...], **values: Any) -> None:
    """Read the headers of all DICOM files at or below each PATH into the index.

    The command knows a DICOM file by its content, not by its name. It reads new and changed files
    only, so after an interruption the same command goes on. A summary ends it and counts the
    skipped files by reason. With --prune, instances leave the index when their last file is gone.

    \b
      dicomquest index /data/dicom
      dicomquest index --index /srv/dicom.sqlite --jobs 4 /data/ct /data/mr
      dicomquest index --verbose --prune /data/dicom

    The exit status is 0 also if files were skipped, 1 if the index failed or a PATH was not pruned,
    2 if the command line is wrong, 130 after Ctrl-C.
    """  # noqa: D301
    run(IndexSettings(paths, **values))


def run(settings: IndexSettings) -> None:
    """Index the files; raise click's Exit if the index fails."""
    started = monotonic()
    paths = _existing(settings)
    pruned = None
    with (
        new_files_without(settings.umask),
        index_failures("what is indexed stays, and the same command goes on"),
        open_index(settings.location, settings.timezone, settings.partitions or 0) as index,
    ):
        # Lines and a bar on one terminal would overwrite each other.
        is_shown = sys.stderr.isatty() and not (settings.quiet or settings.verbose)
        with collecting_seldom(), progress_bar(paths, shown=is_shown) as progress:
            summary = index.ingest(
                paths,
                jobs=settings.jobs or os.cpu_count() or 1,
                progress=progress,
                on_skip=_name_skipped if settings.verbose else None,
                reread=settings.reread,
            )
        if settings.prune or settings.prune_empty:
            pruned = index.prune(settings.paths, even_empty=settings.prune_empty)
        counts = index.counts()
        disagreeing = index.disagreements()
    _report(summary, monotonic() - started, names_skipped=settings.verbose)
    if pruned is not None:
        _report_pruned(pruned)
    say(f"The index has {counted_each(counts)}.")
    if disagreeing:
        _report_disagreeing(disagreeing, are_named=settings.verbose)
    if pruned is not None and pruned.refused:
        raise give_up(
            "instances of missing files stay in the index: the share may be unmounted. "
            "--prune-empty removes them"
        )


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Make the garbage collector look seldom while files are indexed."""
    from dicomquest.index.ingest.reader_process import COLLECTED_AFTER

    usual = gc.get_threshold()
    gc.set_threshold(COLLECTED_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _existing(settings: IndexSettings) -> list[str]:
    """Return the paths to read; UsageError if one is missing and is not to be pruned."""
    missing = [path for path in settings.paths if not os.path.exists(path)]  # noqa: PTH110
    if missing and not settings.prune_empty:
        hint = "; --prune-empty removes the instances below it" if settings.prune else ""
        raise click.UsageError(f"{click.format_filename(missing[0])!r} does not exist{hint}")
    return [path for path in settings.paths if path not in missing]


def open_index(location: str, timezone: int | None = None, partitions: int = 0) -> Index:
    """Open or make an index; UsageError if it keeps another zone than ``timezone``, in minutes."""
    from dicomquest.index import Index

    index = Index(location, timezone_offset_minutes=timezone or 0, partitions=partitions)
    if timezone not in {None, index.timezone_offset_minutes}:
        kept = offset_text(index.timezone_offset_minutes)
        index.close()
        raise click.UsageError(
            f"--timezone {offset_text(timezone or 0)}: the index was made with {kept} and keeps "
            "that; leave the option out, or make another index"
        )
    return index


@contextmanager
def progress_bar(
    paths: Sequence[str], *, shown: bool
) -> Iterator[Callable[[Summary], None] | None]:
    """Show a bar on standard error, while a thread counts the files."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from dicomquest.index.ingest.files import walk

    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("index", total=None)

        def count() -> None:
            bar.update(task, total=sum(1 for _ in walk(paths)))

        # rich's Progress has a lock of its own. A daemon, as nobody needs the number afterwards.
        threading.Thread(target=count, daemon=True).start()
        yield lambda summary: bar.update(task, completed=summary.files)


def _name_skipped(path: str, skipped: Skipped) -> None:
    detail = f" ({skipped.detail})" if skipped.detail else ""
    say(f"skipped: {click.format_filename(path)}: {skipped.reason.value}{detail}")


def _report_disagreeing(found: Sequence[Disagreement], *, are_named: bool) -> None:
    for patient_id, issuer, persons in found if are_named else ():
        named = ", ".join(
            f"{name!r} born {birth_date or '?'} sex {sex or '?'} ({counted(studies, Level.STUDY)})"
            for name, birth_date, sex, studies in persons
        )
        of_issuer = f" of {issuer!r}" if issuer else ""
        say(f"disagree: patient {patient_id!r}{of_issuer}: {named}")
    say(
        f"Studies of {counted(len(found), Level.PATIENT)} disagree on name, birth date or sex: "
        "each study shows its own" + ("" if are_named else " (--verbose names them)")
    )


def _report(summary: Summary, seconds: float, *, names_skipped: bool) -> None:
    say(
        f"{counted_files(summary.files)} in {seconds:.1f} s: {summary.indexed:,} indexed, "
        f"{summary.replaced:,} replaced, {summary.unchanged:,} unchanged, "
        f"{summary.skipped.total():,} skipped"
    )
    if summary.skipped:
        reasons = ", ".join(
            f"{count:,} {reason.value}" for reason, count in summary.skipped.most_common()
        )
        say(f"  skipped: {reasons}" + ("" if names_skipped else " (--verbose names them)"))
    if summary.removed:
        say(f"removed {counted(summary.removed, Level.IMAGE)}: their files hold others now")


def _report_pruned(pruned: Pruned) -> None:
    for path, reason in pruned.refused.items():
        say(f"not pruned: {click.format_filename(path)}: {reason}")
    objects = f", {number_of(pruned.objects, 'object')}" if pruned.objects else ""
    say(f"{counted_files(pruned.gone)} gone: removed {counted_each(pruned.entities)}{objects}")


def offset_text(minutes: int) -> str:
    """Write an offset from UTC as +HHMM."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
