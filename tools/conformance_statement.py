"""Write docs/reference/conformance.md: conformance.in.md beside it, with our tables (PS3.2)."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from pydicom.datadict import keyword_for_tag
from pydicom.uid import UID

from dicomquest.index.tables.schema import ENTRY_COLUMNS
from dicomquest.index.tables.step_tables import WORKITEM_COLUMNS
from dicomquest.query.extended_negotiation import SUPPORTED
from dicomquest.query.matching import MATCHING_TYPES
from dicomquest.standard.character_sets import CODE_ELEMENTS, SINGLE_SETS
from dicomquest.standard.choices import CHOICES
from dicomquest.standard.extended import EXTENDED_OPTIONS
from dicomquest.standard.keys import EXISTENCE_ONLY, KEYS, Key, Storage, key_type
from dicomquest.standard.models import MODELS
from dicomquest.standard.object_keys import OBJECT_CLASSES, OBJECT_MODELS, MatchingKey
from dicomquest.standard.sop_classes import (
    OBJECT_FIND,
    OBJECT_RETRIEVE,
    REPOSITORY_FIND,
    RETRIEVE_SOP_CLASSES,
    SERVED,
    UPS_FIND,
    WORKLIST_FIND,
)
from dicomquest.standard.statuses import C_FIND_STATUSES, REPOSITORY_STATUSES, Status
from dicomquest.standard.step_attributes import MPPS, NEEDED, NEEDED_AT_END, NEVER_SET
from dicomquest.standard.transfer_syntaxes import TRANSFER_SYNTAXES
from dicomquest.standard.vr import VALUE_REPRESENTATIONS, VR, Matching
from dicomquest.standard.workitem_keys import WORKITEM_KEYS
from dicomquest.standard.worklist_keys import (
    NEVER_MATCHED,
    SCHEDULED_STATION_AE_TITLE,
    WORKLIST_KEYS,
)

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
TEMPLATE, STATEMENT = REFERENCE / "conformance.in.md", REFERENCE / "conformance.md"

KINDS = {
    Matching.SINGLE: "single value",
    Matching.WILD_CARD: "wild card",
    Matching.RANGE: "range",
    Matching.UID_LIST: "list of UID",
    Matching.SEQUENCE: "sequence",
    Matching.EMPTY_VALUE: "empty value",
    Matching.MULTIPLE_VALUE: "multiple value",
}


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def kinds(matching: Matching) -> str:
    return ", ".join(name for kind, name in KINDS.items() if kind in matching) or "universal only"


def tag_text(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def sop_classes() -> Iterable[str]:
    served = (*SERVED, *RETRIEVE_SOP_CLASSES)
    return [
        *(row(each.name, each.uid, each.service, "yes", "yes") for each in served),
        row(REPOSITORY_FIND.name, REPOSITORY_FIND.uid, REPOSITORY_FIND.service, "yes", "yes"),
        row(WORKLIST_FIND.name, WORKLIST_FIND.uid, WORKLIST_FIND.service, "yes", "`--worklist`"),
        row(UID(MPPS).name, MPPS, "N-CREATE, N-SET", "yes", "`--worklist`"),
        *(row(each.name, each.uid, each.service, "yes", "`--worklist`") for each in UPS_FIND),
        *(row(each.name, each.uid, each.service, "yes", "yes") for each in OBJECT_FIND),
        *(
            row(each.name, each.uid, each.service, "yes" if "GET" in each.service else "no", "yes")
            for each in OBJECT_RETRIEVE
        ),
        *(row(UID(uid).name, uid, "C-STORE", "no", "`--store`") for uid in OBJECT_CLASSES),
    ]


def object_keys() -> Iterable[str]:
    for number, model in enumerate(OBJECT_MODELS, 1):
        of_model = model.model
        yield f"#### 5.9.{number} {of_model.words} ({of_model.uid}, PS3.4 {of_model.clause})"
        yield ""
        yield row("Key", "Tag", "VR", "Type", "Return type", "Matching")
        yield row(*["---"] * 6)
        for key in model.keys:
            is_matched = key.matching is not MatchingKey.NONE
            yield row(
                ">" * len(key.above) + key.keyword,
                tag_text(key.tag),
                key.vr,
                key.matching.value,
                key.return_type.value if key.return_type else "",
                kinds(VR[key.vr].matching) if is_matched else "return only",
            )
        yield ""


def worklist_keys() -> Iterable[str]:
    return [
        row(
            (">" if key.is_of_step else "") + key.keyword,
            tag_text(key.tag),
            key.vr,
            "R" if key.is_required else "O",
            key.return_type.value,
            "return only" if key.tag in NEVER_MATCHED else kinds(VR[key.vr].matching),
            "column" if key in ENTRY_COLUMNS or key.tag == SCHEDULED_STATION_AE_TITLE else "",
        )
        for key in WORKLIST_KEYS
    ]


def workitem_keys() -> Iterable[str]:
    return [
        row(
            ">" * len(key.above) + key.keyword,
            tag_text(key.tag),
            key.vr,
            key.matching.value,
            key.return_type.value if key.return_type else "",
            kinds(VR[key.vr].matching),
            "column" if key.keyword in {"SOPInstanceUID", *WORKITEM_COLUMNS} else "",
        )
        for key in WORKITEM_KEYS
    ]


def step_attributes() -> Iterable[str]:
    tags = sorted({*NEEDED, *NEEDED_AT_END, *NEVER_SET})
    return [
        row(
            keyword_for_tag(tag),
            tag_text(tag),
            "1" if tag in NEEDED else "optional",
            "no" if tag in NEVER_SET else "yes",
            "1" if tag in NEEDED or tag in NEEDED_AT_END else "",
        )
        for tag in tags
    ]


def transfer_syntaxes() -> Iterable[str]:
    return [row(each.name, each.uid) for each in TRANSFER_SYNTAXES]


def extended() -> Iterable[str]:
    return [
        row(
            str(each.byte), each.name, "1" if getattr(SUPPORTED, each.option) else "0", each.default
        )
        for each in EXTENDED_OPTIONS
    ]


def keys() -> Iterable[str]:
    for number, model in enumerate(MODELS, 1):
        yield f"### 3.{number} {model.words} ({model.uid}, PS3.4 {model.clause})"
        for level in model.levels:
            yield f"\n{level.name} level:\n"
            yield row("Tag", "Keyword", "VR", "Type", "Matching", "Index")
            yield row(*["---"] * 6)
            for key in KEYS:
                if model.query_level(key.level) is level:
                    yield key_row(key, key_type(key.tag, model).value)
        yield ""


def key_row(key: Key, kind: str) -> str:
    matching = "return only" if key.tag in EXISTENCE_ONLY else kinds(VR[key.vr].matching)
    storage = {
        Storage.COLUMN: "column",
        Storage.VALUES: "values",
        Storage.COMPUTED: "computed",
        Storage.JSON: "",
    }
    return row(tag_text(key.tag), key.keyword, key.vr, kind, matching, storage[key.storage])


def matching() -> Iterable[str]:
    names = {each.option: f"byte {each.byte}" for each in EXTENDED_OPTIONS}
    universal = row("Universal", "C.2.2.2.3", "")
    return [
        universal,
        *(row(each.name, each.clause, names.get(each.option or "", "")) for each in MATCHING_TYPES),
    ]


def vrs() -> Iterable[str]:
    return [row(f"{each.vr} ({each.name})", kinds(each.matching)) for each in VALUE_REPRESENTATIONS]


def choices() -> Iterable[str]:
    return [
        row(each.question, each.clause, each.ours, f"`{each.switch}`" if each.switch else "")
        for each in CHOICES
    ]


def statuses() -> Iterable[str]:
    return map(status_row, C_FIND_STATUSES)


def repository_statuses() -> Iterable[str]:
    """The statuses that Repository Query has besides those of other queries."""
    return [status_row(each) for each in REPOSITORY_STATUSES if each not in C_FIND_STATUSES]


def status_row(status: Status) -> str:
    first, last = f"{status.first:04X}", f"{status.last:04X}"
    code = first if first == last else f"{first}-{last}"
    return row(code, status.status_class.value, status.meaning, ", ".join(status.fields))


def character_sets() -> Iterable[str]:
    yield from (row(each.term, each.name, "alone") for each in SINGLE_SETS)
    yield from (
        row(each.term, each.name, f"with code extensions, as G{each.element}")
        for each in CODE_ELEMENTS
    )


TABLES: dict[str, Callable[[], Iterable[str]]] = {
    table.__name__: table
    for table in (
        sop_classes, transfer_syntaxes, extended, keys, matching, vrs, choices, statuses,
        worklist_keys, step_attributes, workitem_keys, object_keys, repository_statuses,
        character_sets,
    )
}  # fmt: skip


def statement() -> str:
    """The whole page."""
    template = TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: "\n".join(TABLES[found[1]]()).rstrip(), template)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the page has drifted"
    )
    if not parser.parse_args().check:
        STATEMENT.write_text(statement(), encoding="utf-8")
        return 0
    if STATEMENT.read_text(encoding="utf-8") == statement():
        return 0
    print(
        "docs/reference/conformance.md has drifted: run python tools/conformance_statement.py",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
