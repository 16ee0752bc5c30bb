"""The options of ``dicomquest get`` and ``move`` (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from dicomquest.cli.option_needs import model_of_options
from dicomquest.cli.settings.storing_settings import LAYOUT
from dicomquest.cli.shared_options import LEVEL, LEVELS, setting
from dicomquest.query.identifier.entry_models import ENTRY_MODELS
from dicomquest.standard.models import InformationModel

OBJECT_WORDS = {word: row.model for word, row in ENTRY_MODELS.items() if row.model.get_uid}
"""The models of objects without a patient that a retrieve takes, by the word that people type."""


@dataclass(frozen=True, slots=True)
class PickingSettings:
    """The instances to fetch; each field is an option."""

    level: str | None = setting(
        None,
        "Fetch whole patients, studies, series, or single instances; the level of the lowest KEY "
        "by default.",
        short=("-L",),
        type=LEVEL,
        metavar=LEVELS,
        envvar=None,
    )
    model: str = setting(
        "study",
        f"Study Root, Patient Root or Patient/Study Only; or objects without a patient: "
        f"{', '.join(OBJECT_WORDS)}.",
        short=("-m",),
        type=click.Choice(["study", "patient", "psonly", *OBJECT_WORDS], case_sensitive=False),
        metavar="MODEL",
        envvar=None,
    )
    key: tuple[str, ...] = setting(
        (), "A KEY, as getscu takes it; repeat it.", short=("-k",), multiple=True, metavar="KEY",
        envvar=None,
    )  # fmt: skip
    patient_root: bool = setting(
        False, "The same as -m patient.", short=("-P",), is_flag=True, envvar=None
    )
    study_root: bool = setting(
        False, "The same as -m study.", short=("-S",), is_flag=True, envvar=None
    )

    @property
    def model_name(self) -> str:
        """The information model; click's UsageError if two are named."""
        habits = {
            "-P": self.patient_root and "patient",
            "-S": self.study_root and "study",
        }
        return model_of_options(habits, self.model)

    @property
    def information_model(self) -> InformationModel:
        """The model itself."""
        from dicomquest.cli.request_identifier import MODEL_NAMES

        name = self.model_name
        return OBJECT_WORDS[name] if name in OBJECT_WORDS else MODEL_NAMES[name]


@dataclass(frozen=True, slots=True)
class KeepingSettings:
    """The place of fetched instances; each field is an option."""

    output: str | None = setting(
        None,
        "The folder for the instances.",
        short=("-o",),
        type=click.Path(file_okay=False),
        metavar="FOLDER",
        envvar=None,
    )
    again: bool = setting(
        False,
        "Fetch also what is in the folder, whole, already.",
        is_flag=True,
        envvar=None,
        needs=("output",),
    )
    store_layout: str = setting(
        LAYOUT,
        "The path of an instance in the folder, made of keywords of its attributes.",
        metavar="TEMPLATE",
        needs=("output",),
    )


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """The number of associations, and what is told meanwhile; each field is an option."""

    jobs: int = setting(
        1,
        "Fetch over N associations at the same time.",
        type=click.IntRange(1, 32),
        metavar="N",
        envvar=None,
    )
    verbose: bool = setting(
        False, "Name each instance that failed.", short=("-v",), is_flag=True, envvar=None
    )
    quiet: bool = setting(
        False,
        "Print failures and warnings only; no progress bar.",
        short=("-q",),
        is_flag=True,
        envvar=None,
    )
