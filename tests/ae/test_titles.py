"""AE titles are refused at once where pynetdicom refuses them, and access lists always apply."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pynetdicom
import pytest

import dicomquest
from dicomquest import AE, evt
from fixtures.faces import HOST, VERIFICATION, associated, scp, scu, serving

PACKAGES = (dicomquest, pynetdicom)


@pytest.mark.parametrize("title", ["A" * 17, "", " ", "A\\B", "Ä", "A\n", 7, None])
@pytest.mark.parametrize("package", PACKAGES)
def test_title_that_is_none_is_refused_at_once(package: ModuleType, title: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        package.AE(title)
    assert isinstance(caught.value, ValueError if isinstance(title, str) else TypeError)
    if package is pynetdicom:
        return  # it leaves a socket open
    ae = AE()
    ae.add_requested_context(VERIFICATION)
    with pytest.raises((ValueError, TypeError)) as caught:
        ae.associate(HOST, 1, ae_title=title)
    assert isinstance(caught.value, ValueError if isinstance(title, str) else TypeError)


@pytest.mark.parametrize("package", PACKAGES)
def test_titles_of_bytes_work_with_a_warning(package: ModuleType) -> None:
    seen: list[evt.Event] = []
    with serving(None, (evt.EVT_REQUESTED, seen.append)) as port:
        with pytest.warns(DeprecationWarning, match="bytes"):
            ae = package.AE(ae_title=b"X")
        assert ae.ae_title == "X"
        ae.add_requested_context(VERIFICATION)
        with pytest.warns(DeprecationWarning, match="bytes"):
            association = ae.associate(HOST, port, ae_title=b"Y")
        assert association.is_established
        association.release()
    sides = seen[0].assoc
    assert (sides.requestor.ae_title, sides.acceptor.ae_title) == ("X", "Y")


def test_required_titles_change_while_server_runs() -> None:
    """Titles that are required from now on hold for the next association."""
    ae = scp()
    with serving(ae=ae) as port:
        with associated(port, ae_title="OTHER"):
            pass
        ae.require_called_aet = True
        assert scu().associate(HOST, port, ae_title="OTHER").is_rejected
        with associated(port, ae_title="SCP"):
            pass
        ae.require_calling_aet = ["FRIEND"]
        assert scu().associate(HOST, port, ae_title="SCP").is_rejected
        ae.require_calling_aet.append("SCU")
        with associated(port, ae_title="SCP"):
            pass
        ae.require_called_aet, ae.require_calling_aet = False, []
        with associated(port, ae_title="OTHER"):
            pass


def test_misspelt_attribute_is_an_error_with_near_name() -> None:
    ae = AE()
    with pytest.raises(AttributeError, match="did you mean 'require_called_aet'"):
        ae.reqire_called_aet = True
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        ae.colour = "red"
    with pytest.raises(TypeError, match="list of titles"):
        ae.require_calling_aet = "SCU"


def test_subclass_of_ae_has_its_own_attributes() -> None:
    class Own(AE):
        def __init__(self) -> None:
            super().__init__()
            self.colour = "red"

    own = Own()
    assert own.colour == "red"
    with pytest.raises(AttributeError, match="did you mean 'dimse_timeout'"):
        own.dimse_timeuot = 3
