"""``dicomquest worklist``: the entries that modalities ask for (PS3.4 K)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomquest.cli.file_rights import new_files_without, umask_option
from dicomquest.cli.help_page import PageGroup
from dicomquest.cli.messages import MAKES_A_WORKLIST, give_up, index_failures, say
from dicomquest.cli.shared_options import index_option
from dicomquest.errors import DicomquestError, IndexDatabaseError

if TYPE_CHECKING:
    from dicomquest.standard.models import InformationModel
    from dicomquest.worklist.entries import Added, Worklist

HL7_SUFFIX = ".hl7"
"""The files with orders by HL7."""

_DAYS = re.compile(r"(\d{1,5})d", re.ASCII)


class DaysType(click.ParamType[int]):
    """A number of days, such as ``7d``."""

    name = "days"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read a number of days."""
        if isinstance(value, int):
            return value
        match = _DAYS.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no number of days: write 7d", param, ctx)
        return int(match[1])


@click.group(cls=PageGroup)
def worklist() -> None:
    """Keep the worklist that `dicomquest serve --worklist` answers modalities from.

    An entry is one Scheduled Procedure Step with its patient and its order. Entries are in the
    database of the index. They come from files as wlmscpfs reads them, or from DICOM JSON; a file
    of the same step takes the place of an older one. Unified Procedure Steps come in the same way.

    \b
      dicomquest worklist add orders/*.wl
      dicomquest worklist list ScheduledProcedureStepStartDate=today
      dicomquest worklist remove --keep 7d
      dicomquest worklist watch /var/lib/worklist
      dicomquest serve --worklist --aet RIS --host 0.0.0.0
    """  # noqa: D301


@worklist.command(short_help="Read entries from files.")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True))
@click.option(
    "--incomplete",
    is_flag=True,
    help="Take entries that lack attributes of type 1; answers have them empty.",
)
@click.option(
    "--hl7-mapping",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The places of attributes in HL7 orders, as `worklist mapping` prints them.",
)
@umask_option
@index_option
def add(
    paths: tuple[str, ...],
    location: str,
    *,
    incomplete: bool,
    hl7_mapping: str | None,
    umask: str,
) -> None:
    """Read entries from FILEs: DICOM (.wl), DICOM JSON, HL7 (.hl7: ORM^O01, OMI^O23).

    Of a folder it reads the files that end in .wl, .json or .hl7. A file with several steps gives
    an entry for each; an HL7 order may change or cancel one. A Unified Procedure Step (UPS) is one
    by its SOP Class UID. The database is made if it is missing.

    \b
      dicomquest worklist add order1.wl order2.wl
      dicomquest worklist add /var/spool/orders
      dicomquest worklist add today.json --index /srv/dicom.sqlite

    The exit status is 0 if all files were read, 1 if one was refused or the database failed, 2 if
    the command line is wrong.
    """  # noqa: D301
    with new_files_without(umask):
        run_add(paths, location, may_lack=incomplete, hl7_mapping=hl7_mapping)


@worklist.command(name="list", short_help="Show entries.")
@click.argument("keys", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--ups", is_flag=True, help="Mean Unified Procedure Steps, not entries.")
@click.option("--json", "as_json", is_flag=True, help="Print whole entries as DICOM JSON.")
@index_option
def list_entries(keys: tuple[str, ...], location: str, *, as_json: bool, ups: bool) -> None:
    """Show the entries that the KEYs find, all of them without a KEY, by date and time.

    A KEY of the step needs no path: Modality=CT.

    \b
      dicomquest worklist list ScheduledProcedureStepStartDate=today
      dicomquest worklist list ScheduledStationAETitle=CT1 'PatientName=DOE^*'
      dicomquest worklist list --json > entries.json
      dicomquest worklist list --ups ProcedureStepState=SCHEDULED
    """  # noqa: D301
    run_list(keys, location, as_json=as_json, is_ups=ups)


@worklist.command(short_help="Remove entries.")
@click.argument("keys", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--keep",
    type=DaysType(),
    metavar="DAYS",
    help="Remove the entries that started more than so many days ago, such as 7d.",
)
@click.option("--ups", is_flag=True, help="Mean Unified Procedure Steps, not entries.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the entries, and remove nothing.")
@index_option
def remove(
    keys: tuple[str, ...], keep: int | None, location: str, *, dry_run: bool, ups: bool
) -> None:
    """Remove the entries that the KEYs find, or those that are older than --keep.

    \b
      dicomquest worklist remove AccessionNumber=A4711
      dicomquest worklist remove ScheduledStationAETitle=CT1 --dry-run
    Each night, in crontab:
      dicomquest worklist remove --keep 7d
    """  # noqa: D301
    run_remove(keys, keep, location, is_dry=dry_run, is_ups=ups)


@worklist.command(short_help="Keep entries in step with a folder.")
@click.argument("folder", metavar="FOLDER", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Look at the folder this often.",
)
@click.option(
    "--keep",
    type=DaysType(),
    metavar="DAYS",
    help="Remove the entries that started more than so many days ago, such as 7d.",
)
@click.option(
    "--incomplete",
    is_flag=True,
    help="Take entries that lack attributes of type 1; answers have them empty.",
)
@umask_option
@index_option
def watch(
    folder: str, every: float, keep: int | None, location: str, *, incomplete: bool, umask: str
) -> None:
    """Keep the entries in step with a FOLDER of wlmscpfs, until SIGINT or SIGTERM.

    A sub-folder is the worklist of the AE title that it is named after: `serve` shows its entries
    to those who call it by that title. It needs a file named lockfile, which whoever writes there
    locks. Files in FOLDER itself are shown to all. An entry leaves with its file.

    \b
      dicomquest worklist watch /var/lib/worklist
      dicomquest worklist watch /mnt/ris/wl --every 10 --keep 7d --index /srv/dicom.sqlite

    The exit status is 0 after SIGINT or SIGTERM, 1 if the database or the first look at the folder
    fails, 2 if the command line is wrong.
    """  # noqa: D301
    from dicomquest.cli.worklist_watch import watch_folder

    with new_files_without(umask):
        watch_folder(folder, location, every=every, keep=keep, may_lack=incomplete)


@worklist.command(short_help="Print where HL7 orders have their values.")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(dir_okay=False))
def mapping(path: str | None) -> None:
    """Print where orders by HL7 have the attributes of an entry, as FILE or the default says.

    A file with other places is for `worklist add --hl7-mapping` and `serve --hl7-mapping`. It
    needs only the lines that differ; "=CT1" is a value itself, [] leaves an attribute out.

    \b
      dicomquest worklist mapping > hl7.toml
      dicomquest serve --worklist --hl7 2575 --hl7-mapping hl7.toml
    """  # noqa: D301
    from dicomquest.cli.hl7_side import mapping_of, need_hl7

    need_hl7("worklist mapping")
    from dicomquest.worklist.hl7_mapping import mapping_text

    click.echo(mapping_text(mapping_of(path)), nl=False)


def run_add(
    paths: Sequence[str], location: str, *, may_lack: bool, hl7_mapping: str | None = None
) -> None:
    """Add; raise click's Exit if a file was refused."""
    from dicomquest.cli.counting import counted_files
    from dicomquest.cli.hl7_side import order_taker
    from dicomquest.worklist.entries import Added, Worklist

    added, refused, cancelled = Added(), 0, 0
    take_order = order_taker(hl7_mapping)
    with index_failures("the same command goes on"), Worklist(location) as opened:
        for path in _files(paths):
            try:
                if path.lower().endswith(HL7_SUFFIX):
                    taken = take_order(opened, path)
                    added, cancelled = added + taken.added, cancelled + taken.removed
                    if taken.missed:
                        say(f"{click.format_filename(path)}: {taken.missed_words}")
                else:
                    added += _add_file(opened, path, may_lack=may_lack)
            except (DicomquestError, OSError) as error:
                if isinstance(error, IndexDatabaseError):
                    raise
                refused += 1
                reason = (isinstance(error, OSError) and error.strerror) or error
                say(f"refused: {click.format_filename(path)}: {reason}")
    say(_added_words(added) + (f", removed {cancelled:,} as cancelled" if cancelled else ""))
    if refused:
        raise give_up(
            f"{counted_files(refused)} refused for the reasons above; put them right, and add them"
        )


def _files(paths: Sequence[str]) -> Iterator[str]:
    from dicomquest.worklist.folder import ENTRY_SUFFIXES, entry_files

    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112
            yield from map(str, entry_files(Path(path), ENTRY_SUFFIXES | {HL7_SUFFIX}))
        else:
            yield path


def _add_file(opened: Worklist, path: str, *, may_lack: bool) -> Added:
    """Add the steps of a file; WorklistEntryError or OSError if it is refused."""
    from dicomquest.worklist.entries import Added
    from dicomquest.worklist.entry import entries_of
    from dicomquest.worklist.entry_files import read_entry_file
    from dicomquest.worklist.workitem import is_workitem, workitem_of
    from dicomquest.worklist.workitems import Workitems

    workitems = Workitems(opened.database)
    entries, items = [], []
    for data_set in read_entry_file(path):
        if is_workitem(data_set):
            items.append(workitem_of(data_set, workitems.zone_minutes, may_lack=may_lack))
        else:
            entries += entries_of(data_set, may_lack=may_lack)
    now, source = int(time.time()), os.path.abspath(path)  # noqa: PTH100
    added = workitems.add(items, now, source=source) if items else Added()
    return added + opened.add(entries, now, source=source)


def _added_words(added: Added) -> str:
    total = added.new + added.replaced
    replaced = f", {added.replaced:,} in the place of older ones" if added.replaced else ""
    return f"added {_entries(total)}{replaced}"


def _entries(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _model(*, is_ups: bool) -> InformationModel:
    from dicomquest.standard.models import MODALITY_WORKLIST, UPS_PULL

    return UPS_PULL if is_ups else MODALITY_WORKLIST


def _lines(texts: Iterable[str], *, is_ups: bool) -> Iterator[str]:
    from dicomquest.cli.worklist_table import table_of, table_of_workitems

    return table_of_workitems(texts) if is_ups else table_of(texts)


def run_list(keys: Sequence[str], location: str, *, as_json: bool, is_ups: bool = False) -> None:
    """Print the entries, or the Unified Procedure Steps."""
    from dicomquest.cli.worklist_query import found_entries, worklist_query
    from dicomquest.index import Index

    with (
        index_failures("nothing was changed", MAKES_A_WORKLIST),
        Index(location, create=False) as index,
    ):
        query = worklist_query(keys, index.timezone_offset_minutes, _model(is_ups=is_ups))
        texts = [entry.text for entry in found_entries(index, query)]
    if as_json:
        click.echo("[" + ",\n".join(texts) + "]")
    elif texts:
        for line in _lines(texts, is_ups=is_ups):
            click.echo(line)
    say(_entries(len(texts)) if texts else "No entries.")


def run_remove(
    keys: Sequence[str], keep: int | None, location: str, *, is_dry: bool, is_ups: bool = False
) -> None:
    """Remove; raise click's UsageError for a command line that names no entries."""
    from dicomquest.cli.worklist_query import found_entries, worklist_query
    from dicomquest.index import Index
    from dicomquest.worklist.entries import Worklist
    from dicomquest.worklist.workitems import Workitems

    if bool(keys) == (keep is not None):
        raise click.UsageError("expected KEY=VALUE, or --keep DAYS: the entries to remove")
    texts = keys
    day = datetime.now().astimezone() - timedelta(days=(keep or 0) + 1)
    if keep is not None:
        texts = (f"ScheduledProcedureStepStartDate{'Time' * is_ups}=-{day:%Y%m%d}",)
    with (
        index_failures("what is removed stays removed", MAKES_A_WORKLIST),
        Index(location, create=False) as index,
    ):
        query = worklist_query(texts, index.timezone_offset_minutes, _model(is_ups=is_ups))
        found = list(found_entries(index, query))
        if is_dry:
            for line in _lines((each.text for each in found), is_ups=is_ups) if found else ():
                click.echo(line)
            say(f"would remove {_entries(len(found))}")
            return
        with Worklist(location, create=False) as opened:
            kept = Workitems(opened.database) if is_ups else opened
            removed = kept.remove([entry.id for entry in found])
            if keep is not None:
                opened.remove_steps_before(int(day.timestamp()))
    say(f"removed {_entries(removed)}")
