"""Destinations by title, the contexts that they are offered, and their number at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dicomquest.aio.configured_destinations import ConfiguredDestinations, proposed
from dicomquest.services.access import EVERYTHING
from dicomquest.services.move_destinations import Destination, DestinationError
from dicomquest.services.request import AssociationInfo, ServiceUser
from dicomquest.services.retrieve_routes import grouped
from dicomquest.services.retrieve_source import Needed
from dicomquest.ul.negotiation import propose_contexts
from fixtures.faces import EXPLICIT, IMPLICIT
from peers.processes import free_port

JPEG = "1.2.840.10008.1.2.4.70"
STORE = Destination("STORE", "store.example", 104)


def asking(caller_port: int | None = None) -> AssociationInfo:
    profile = replace(EVERYTHING, caller_port=caller_port)
    caller = ServiceUser("WS", "10.0.0.7", 4711)
    return AssociationInfo(1, caller, caller, {}, profile=profile)


@pytest.mark.requirement("RT-073")
def test_only_configured_titles_are_known() -> None:
    destinations = ConfiguredDestinations({"STORE": STORE})
    assert destinations.find("STORE", asking()) is STORE
    assert destinations.find("store", asking()) is None
    assert destinations.find("WS", asking()) is None


def test_caller_may_be_its_own_destination() -> None:
    destinations = ConfiguredDestinations({})
    found = destinations.find("WS", asking(caller_port=11112))
    assert found is not None
    assert (found.host, found.port) == ("10.0.0.7", 11112)
    assert destinations.find("OTHER", asking(caller_port=11112)) is None


def test_each_stored_syntax_has_a_context_of_its_own() -> None:
    needed = [Needed("1.2.3", (JPEG, EXPLICIT))]
    contexts = propose_contexts(proposed(needed, STORE))
    assert [each.transfer_syntaxes for each in contexts] == [
        (JPEG,),
        (EXPLICIT,),
        (EXPLICIT, IMPLICIT),
    ]
    [*_, last] = proposed(needed, replace(STORE, preferred=(IMPLICIT,)))
    assert last[1] == (IMPLICIT, EXPLICIT)


def test_class_has_one_context_of_only_syntaxes() -> None:
    needed = [Needed("1.2.3", (JPEG, EXPLICIT)), Needed("1.2.4", (EXPLICIT,))]
    offered = list(proposed(needed, replace(STORE, only=(IMPLICIT,))))
    assert offered == [("1.2.3", (IMPLICIT,)), ("1.2.4", (IMPLICIT,))]


@pytest.mark.requirement("RT-050")
def test_many_classes_take_several_associations() -> None:
    needed = [Needed(f"1.2.{number}", (JPEG, EXPLICIT)) for number in range(100)]
    groups = grouped(needed)
    assert [len(group) for group in groups] == [42, 42, 16]
    for group in groups:
        assert len(propose_contexts(proposed(group, STORE))) <= 128


def test_failed_connection_gives_its_turn_back() -> None:
    place = Destination("STORE", "127.0.0.1", free_port(), most_associations=1)
    destinations = ConfiguredDestinations({"STORE": place})

    async def connect_twice() -> None:
        for _ in range(2):
            with pytest.raises(DestinationError, match="no connection to STORE"):
                await destinations.connect(place, "ARCHIVE", [Needed("1.2.3", (EXPLICIT,))])

    asyncio.run(connect_twice())
