"""Whom ``dicomquest find`` asks, and keys by the habits of DCMTK's findscu (PS3.4 C.4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dicomquest.cli.asking.asking_settings import AskingSettings
from dicomquest.cli.config_option import configured
from dicomquest.cli.named_peers import PeerArgument
from dicomquest.cli.option_needs import model_of_options
from dicomquest.cli.shared_options import setting
from dicomquest.standard.levels import Level

if TYPE_CHECKING:
    from dicomquest.cli.configuration import NamedPeer

_LEVEL_KEY = re.compile(r"\(?(?:QueryRetrieveLevel|0008,?0052)\)?=(.*)", re.IGNORECASE | re.DOTALL)
_TAG_IN_BRACKETS = re.compile(r"\(([0-9A-Fa-f]{4},[0-9A-Fa-fxX]{2}[0-9A-Fa-f]{2})\)")
_ITEM_NUMBER = re.compile(r"\[[0*]\]\.")


SEVERAL = "dicomquest.cli.find_target.several"
"""The key of click's context under which ``find`` keeps its peers, if it has several."""


class TargetArgument(PeerArgument):
    """The first argument of ``find``; with --index there is no peer, and all words are keys."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Give the words to the keys if an index is asked, else go on as for any peer."""
        if isinstance(opts, MutableMapping) and isinstance(opts.get("index"), str):
            words = [word for word in (opts.get("host"), opts.get("port")) if isinstance(word, str)]
            keys = opts.get("keys")
            opts["keys"] = (*words, *(keys if isinstance(keys, (list, tuple)) else ()))
            opts["host"], opts["port"] = opts["index"], "0"
        elif isinstance(opts, MutableMapping) and not ctx.resilient_parsing:
            ctx.meta[SEVERAL] = _take_peers(ctx, opts)
        return super().handle_parse_result(ctx, opts, args)


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """An index in the place of a peer, and the options that findscu's users type."""

    index: str | None = setting(
        None, "Ask an index of this machine (file or URL), and no peer.", metavar="URL", envvar=None
    )
    tree: bool = setting(
        False, "Ask for studies, their series and instances.", is_flag=True, envvar=None
    )
    get: str | None = setting(
        None, "Fetch what is found into this folder (C-GET).",
        type=click.Path(file_okay=False), metavar="FOLDER", envvar=None,
    )  # fmt: skip
    jobs: int = setting(
        4, "Associations of --tree and --get at the same time.", type=click.IntRange(1, 32),
        metavar="N", envvar=None,
        needs=("tree", "get"),
    )  # fmt: skip
    visible: tuple[str, ...] = setting(
        (),
        "Ask the index as if it had only what matches; repeat it.",
        multiple=True,
        metavar="KEY=VALUE",
        envvar=None,
    )
    ignore_case: bool = setting(
        False, "Let text match without case; names do so anyway.", is_flag=True, envvar=None
    )
    fuzzy: bool = setting(
        False,
        "Find names by words in any order, by their beginning or sound; a peer may refuse.",
        is_flag=True,
        envvar=None,
    )
    key: tuple[str, ...] = setting(
        (),
        "A KEY, as findscu takes it; repeat it.",
        short=("-k",),
        multiple=True,
        metavar="KEY",
        envvar=None,
    )
    patient_root: bool = setting(
        False, "The same as -m patient.", short=("-P",), is_flag=True, envvar=None
    )
    study_root: bool = setting(
        False, "The same as -m study.", short=("-S",), is_flag=True, envvar=None
    )
    worklist: bool = setting(
        False,
        "The same as -m worklist.",
        short=("-W",),
        is_flag=True,
        envvar=None,
    )

    def check(self, asking: AskingSettings) -> None:
        """Raise click's UsageError for options that would do nothing."""
        if self.index is not None and (name := asking.of_a_peer_alone()):
            raise click.UsageError(
                f"{name} is for a peer: an index answers each key as it is asked"
            )
        if self.index is not None and self.tree:
            raise click.UsageError(
                "--tree is for a peer: an index answers -L IMAGE with keys of all levels at once"
            )
        if self.fuzzy and self.tree:
            raise click.UsageError(
                "--fuzzy does not go with --tree, which asks study by study: leave one out"
            )
        if self.tree and asking.show_bytes:
            raise click.UsageError("--show-bytes shows one query: leave --tree out")

    def model(self, named: str) -> str:
        """Return the information model; click's UsageError for the one that is not there."""
        if self.visible and self.index is None:
            raise click.UsageError("--visible is for --index: a peer decides itself what it shows")
        if self.ignore_case and self.index is None:
            raise click.UsageError("--ignore-case is for --index: a peer decides itself on case")
        if self.get is not None and (self.tree or self.index is not None):
            other = "--tree" if self.tree else "--index"
            raise click.UsageError(f"--get fetches what a peer is asked for without {other}")
        habits = {
            "-P": self.patient_root and "patient",
            "-S": self.study_root and "study",
            "-W": self.worklist and "worklist",
        }
        return model_of_options(habits, named)


def keys_by_habit(
    texts: Iterable[str], level: str, *, is_level_given: bool = False
) -> tuple[list[str], str]:
    """Return the keys of findscu as ours, and the level that QueryRetrieveLevel names.

    UsageError if that is another one than ``level``, and the command line gives this.
    """
    keys = []
    for text in texts:
        if match := _LEVEL_KEY.fullmatch(text):
            name = match[1].strip().upper()
            if name not in Level.__members__:
                levels = ", ".join(Level.__members__)
                raise click.UsageError(f"-k {text}: there is no level {name}; levels are {levels}")
            if is_level_given and name != level:
                raise click.UsageError(f"-k {text} and -L {level} are two levels: leave one out")
            level = name
            continue
        name, equals, value = text.partition("=")
        name = _ITEM_NUMBER.sub(".", _TAG_IN_BRACKETS.sub(r"\1", name))
        keys.append(f"{name}{equals}{value}")
    return keys, level


def _take_peers(ctx: click.Context, opts: MutableMapping[str, Any]) -> list[NamedPeer]:
    """Take the names of peers after the first out of the words; no peers unless there are two."""
    given = opts.get("keys")
    keys = list(given) if isinstance(given, (list, tuple)) else []
    words = [word for word in (opts.get("host"), opts.get("port")) if isinstance(word, str)] + keys
    known = configured(ctx).peers
    names: list[str] = []
    while words and words[0] in known and "host" in known[words[0]].reach:
        names.append(words.pop(0))
    if len(names) < 2:
        return []
    words.insert(0, names[0])
    opts["host"], opts["port"], *rest = [*words, None][: max(2, len(words))]
    opts["keys"] = tuple(rest)
    if opts["port"] is None:
        del opts["port"]
    return [known[name] for name in names]
