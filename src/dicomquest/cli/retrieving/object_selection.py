"""The objects without a patient that keys select, asked for by C-FIND (PS3.4 U.4, X.4, BB.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dicomquest.cli.asking.answers import Outcome, answers, failure_of
from dicomquest.cli.request_identifier import check_entry_keys
from dicomquest.cli.retrieving.portions import Portion, portion_of
from dicomquest.cli.written_keys import read_written
from dicomquest.dataset.charset import choose
from dicomquest.dataset.elements import DataSet, Element
from dicomquest.errors import AssociationError
from dicomquest.query.identifier.entry_keys import in_items
from dicomquest.query.identifier.entry_models import ENTRY_MODELS_BY_UID, EntryModel
from dicomquest.query.identifier.key_arguments import (
    Key,
    KeyTextError,
    build_identifier,
    parse_keys,
)
from dicomquest.standard.keys import UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.object_keys import OBJECT_MODELS_BY_UID
from dicomquest.standard.tags import SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from dicomquest.query.model import Query
    from dicomquest.standard.levels import Noun
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

UNIVERSAL = "*"
_UNIQUE = UNIQUE_KEYS[Level.IMAGE]
_SOP_CLASS_UID = 0x00080016


@dataclass(frozen=True, slots=True)
class WantedObjects:
    """The keys that say which objects of a model to retrieve; there is one level of them."""

    row: EntryModel
    keys: tuple[Key, ...]

    @property
    def noun(self) -> Noun:
        """The words for what is selected."""
        return self.row.noun

    @property
    def identifier(self) -> DataSet:
        """The identifier of the query: its keys, the UID, and the class that a retrieve needs."""
        found = build_identifier(self.keys)
        for tag in (_UNIQUE.tag, _SOP_CLASS_UID):
            found.setdefault(tag, Element("UI", ()))
        if terms := choose(found):
            found[SPECIFIC_CHARACTER_SET] = Element("CS", terms)
        return dict(sorted(found.items()))

    @property
    def is_exact(self) -> bool:
        """Tell whether the keys are those of a retrieve: the UIDs of the objects alone."""
        return len(self.keys) == 1 and self.keys[0].path[0].tag == _UNIQUE.tag and bool(self._uids)

    @property
    def exact_portions(self) -> list[Portion]:
        """The portions of exact keys, as they are: nobody has been asked."""
        return [self._portion({Level.IMAGE: (uid,)}) for uid in self._uids]

    @property
    def _uids(self) -> tuple[str, ...]:
        return tuple(self.keys[0].value.split("\\")) if self.keys[0].value else ()

    def _portion(self, uniques: Mapping[Level, tuple[str, ...]]) -> Portion:
        return with_class(Portion(Level.IMAGE, uniques, 1), self.row.model)

    def question(self) -> Query:
        """Return the query of the identifier; IdentifierError if it has no meaning."""
        from dicomquest.query.extended_negotiation import accepted_worklist_options
        from dicomquest.query.identifier.worklist_identifier import parse_entry_query
        from dicomquest.query.options import QueryOptions

        options = accepted_worklist_options(b"", QueryOptions())
        return parse_entry_query(build_identifier(self.keys), options, self.row.model)

    def portions(self, association: Association) -> Iterator[Portion]:
        """Yield what matches; AssociationError if the peer does not answer to the end."""
        outcome, model = Outcome(), self.row.model
        for match in answers(association, self.identifier, model, outcome):
            if (portion := portion_of(match, Level.IMAGE, {})) is not None:
                yield with_class(portion, model)
        if (reason := failure_of(outcome, association)) is not None:
            raise AssociationError(f"{self.noun.entities} were not listed: {reason}")


def wanted_objects(
    texts: Sequence[str], model: InformationModel, level: str | None, now: datetime
) -> WantedObjects:
    """Read the keys that select objects; KeyTextError or KeyValueError says what is wrong."""
    row = ENTRY_MODELS_BY_UID[model.uid]
    if level is not None:
        raise KeyTextError(f"-L is for archives: {row.kind} has one level")
    typed = parse_keys(texts)
    if not any(key.value for key in typed):
        raise KeyTextError(
            "no KEY=VALUE says what to fetch: name an object (SOPInstanceUID=1.2.3) or what it "
            f"has; SOPInstanceUID=* is all {row.noun.entities}"
        )
    # A lone * is the universal key, which is sent without a value: UIDs have no wild cards.
    keys = [replace(key, value="") if key.value == UNIVERSAL else key for key in typed]
    placed = in_items(keys, row.places)
    check_entry_keys(placed, row)
    return WantedObjects(row, tuple(read_written(placed, now)))


def with_class(portion: Portion, model: InformationModel) -> Portion:
    """Return the portion with the class of its objects; the model's first if nobody tells it."""
    known = OBJECT_MODELS_BY_UID[model.uid].sop_classes
    return replace(portion, sop_classes=portion.sop_classes or frozenset(known[:1]))
