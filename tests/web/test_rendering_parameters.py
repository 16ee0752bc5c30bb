"""The query parameters of pictures (PS3.18 8.3.5.1)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomquest.store.rendering_job import Region
from dicomquest.web.refusals import RefusalError
from dicomquest.web.rendering_parameters import RenderingParameters, rendering_parameters

MOST = 1_000_000


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("viewport", "96,64", {"region": Region(96, 64)}),
        ("viewport", "96, 64,1,2", {"region": Region(96, 64, 1, 2)}),
        ("viewport", "96,64,,,-10,20", {"region": Region(96, 64, 0, 0, -10, 20)}),
        ("window", "40,400,linear", {"window": (40.0, 400.0, "LINEAR")}),
        ("window", "-0.5,1e3,LINEAR_EXACT", {"window": (-0.5, 1000.0, "LINEAR_EXACT")}),
        ("window", "40,0.5,sigmoid", {"window": (40.0, 0.5, "SIGMOID")}),
        ("window", "40,400", {"window": (40.0, 400.0, "LINEAR")}),
        ("quality", "1", {"quality": 1}),
        ("quality", "100", {"quality": 100}),
        ("iccprofile", "yes", {"has_profile": True}),
        ("iccprofile", "no", {}),
        ("viewport", "", {}),
        ("unknown", "x", {}),
    ],
)
def test_a_parameter_is_read(name: str, text: str, expected: dict[str, object]) -> None:
    found = rendering_parameters([(name, text)], most_pixels=MOST)
    assert found == RenderingParameters(**expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("viewport", "96"), ("viewport", "0,96"), ("viewport", "a,b"), ("viewport", "96,64,1"),
        ("viewport", "-96,64"), ("viewport", "9,9,-1,0"), ("viewport", "1001,1000"),
        ("viewport", "99999999999,1"), ("viewport", "1,2,3,4,5,6,7"), ("viewport", "1.5,2"),
        ("window", "40"), ("window", "40,400,cubic"), ("window", "40,0.5,linear"),
        ("window", "nan,400,linear"), ("window", "40,inf,linear"), ("window", "40,0,sigmoid"),
        ("window", "1,2,3,4"), ("quality", "0"), ("quality", "101"), ("quality", "high"),
    ],
)  # fmt: skip
def test_a_parameter_that_says_nothing_is_400(name: str, text: str) -> None:
    with pytest.raises(RefusalError, match=name) as caught:
        rendering_parameters([(name, text)], most_pixels=MOST)
    assert caught.value.code == 400


@pytest.mark.parametrize(("name", "text"), [("annotation", "patient"), ("iccprofile", "srgb")])
def test_a_wish_not_followed_is_warned_of(name: str, text: str) -> None:
    (warning,) = rendering_parameters([(name, text)], most_pixels=MOST).warnings
    assert "not supported" in warning


NAMES = st.sampled_from(["viewport", "window", "quality", "annotation", "iccprofile"])


@given(st.lists(st.tuples(NAMES, st.text("0123456789,.-+einf ٣", max_size=30)), max_size=4))
def test_any_parameters_are_read_or_refused(given_ones: list[tuple[str, str]]) -> None:
    with suppress(RefusalError):
        found = rendering_parameters(given_ones, most_pixels=MOST)
        assert found.region is None or found.region.width * found.region.height <= MOST
