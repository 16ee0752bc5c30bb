"""``--filter-here``: what an answer lacks is asked for, so that its keys can be looked at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Self

from dicomquest.cli.asking.answers import Outcome, answers
from dicomquest.cli.messages import say
from dicomquest.dataset.elements import Element
from dicomquest.errors import AssociationError
from dicomquest.standard.keys import KEYS_BY_KEYWORD, UNIQUE_KEYS
from dicomquest.standard.levels import Level
from dicomquest.standard.tags import QUERY_RETRIEVE_LEVEL

if TYPE_CHECKING:
    from dicomquest.dataset.elements import DataSet
    from dicomquest.standard.models import InformationModel
    from dicomquest.sync import Association

_MODALITIES_IN_STUDY = KEYS_BY_KEYWORD["ModalitiesInStudy"].tag
_MODALITY = KEYS_BY_KEYWORD["Modality"].tag


class SeriesLookup:
    """Fills ModalitiesInStudy in from the study's series, if it is a key and the peer left it out.

    The association for it is opened when the first such answer comes: the first one is busy.
    """

    def __init__(
        self,
        identifier: DataSet,
        model: InformationModel,
        more: Callable[[], AbstractContextManager[Association]],
    ) -> None:
        asked = identifier.get(_MODALITIES_IN_STUDY)
        self._is_key = asked is not None and any(asked.values) and Level.SERIES in model.levels
        self._identifier, self._model, self._more = identifier, model, more
        self._stack = ExitStack()
        self._association: Association | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def complete(self, answer: DataSet) -> DataSet:
        """Return an answer with the modalities of its study."""
        element = answer.get(_MODALITIES_IN_STUDY)
        if not self._is_key or (element is not None and any(element.values)):
            return answer
        if self._association is None:
            try:
                self._association = self._stack.enter_context(self._more())
            except AssociationError as error:
                say(f"Note: studies without Modalities in Study are kept: {error}")
                self._is_key = False
                return answer
        series = dict(sorted(self._series_of(answer).items()))
        found = answers(self._association, series, self._model, Outcome())
        modalities = dict.fromkeys(
            str(value)
            for each in found
            if (modality := each.get(_MODALITY)) is not None
            for value in modality.values
        )
        filled = {**answer, _MODALITIES_IN_STUDY: Element("CS", tuple(modalities))}
        return dict(sorted(filled.items()))

    def _series_of(self, answer: DataSet) -> DataSet:
        uppers = [UNIQUE_KEYS[level] for level in self._model.levels if level < Level.SERIES]
        made = {
            key.tag: answer.get(key.tag) or self._identifier.get(key.tag) or Element(key.vr, ())
            for key in uppers
        }
        made[QUERY_RETRIEVE_LEVEL] = Element("CS", (Level.SERIES.name,))
        made[_MODALITY] = Element("CS", ())
        made[UNIQUE_KEYS[Level.SERIES].tag] = Element("UI", ())
        return made
