"""Profiles: the services and models that an identity may use."""

from __future__ import annotations

import pytest

from dicomquest.services.access import Profile, ServiceKind, kind_and_model
from dicomquest.services.storage_classes import stored_sop_classes
from dicomquest.standard.models import MODELS, PATIENT_ROOT, STUDY_ROOT
from fixtures.faces import VERIFICATION

FIND, MOVE, GET = (PATIENT_ROOT.uid[:-1] + last for last in "123")
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("uid", "kind"),
    [
        (VERIFICATION, ServiceKind.VERIFICATION),
        (FIND, ServiceKind.FIND),
        (MOVE, ServiceKind.RETRIEVE),
        (GET, ServiceKind.RETRIEVE),
        (CT, ServiceKind.STORE),
    ],
)
def test_abstract_syntax_is_of_a_service(uid: str, kind: ServiceKind) -> None:
    assert kind_and_model(uid)[0] is kind
    assert Profile().allows(uid)
    assert Profile(services=frozenset({kind})).allows(uid)
    assert not Profile(services=frozenset(ServiceKind) - {kind}).allows(uid)


def test_every_storage_class_is_of_storage() -> None:
    kinds = {kind_and_model(uid) for uid in stored_sop_classes()}
    assert kinds == {(ServiceKind.STORE, None)}


def test_model_holds_for_queries_and_retrievals() -> None:
    profile = Profile(models=frozenset({STUDY_ROOT}))
    allowed = {model for model in MODELS for last in "123" if profile.allows(model.uid[:-1] + last)}
    assert allowed == {STUDY_ROOT}
    assert profile.allows(CT)
    assert profile.allows(VERIFICATION)
