from dataclasses import replace
from pathlib import Path

import click
import pytest

from dicomquest.cli.page_side import page_folder, page_settings, seals_links
from dicomquest.cli.serve_settings import ServeSettings
from dicomquest.web.page.viewer_tokens import Grant, ViewerTokens

LOCAL = ServeSettings(index="scans.sqlite", http="127.0.0.1:8080")


@pytest.mark.parametrize(
    ("changes", "is_sealed"),
    [
        ({}, False),
        ({"http": "[::1]:8080"}, False),
        ({"http": "0.0.0.0:8080"}, True),
        ({"users_file": "users"}, True),
        ({"users_file": "users", "links": "plain"}, False),
        ({"links": "sealed"}, True),
    ],
)
def test_links_are_sealed_where_people_sign_in(changes: dict[str, str], is_sealed: bool) -> None:
    assert seals_links(replace(LOCAL, **changes)) is is_sealed  # type: ignore[arg-type]


def test_the_folder_is_beside_the_index(tmp_path: Path) -> None:
    index = tmp_path / "scans.sqlite"
    settings = replace(LOCAL, index=str(index), users_file="users", timezone="Asia/Tokyo")
    with page_folder(settings) as ready:
        assert ready.web_state == f"{index}.web"
        one, other = page_settings(ready), page_settings(ready)
    assert one.sealer is not None
    assert other.sealer is not None
    assert one.sealer.open(other.sealer.seal("citizen")) == "citizen"
    assert one.sessions is not None
    assert one.now().utcoffset() is not None
    assert str(one.now().tzinfo) == "Asia/Tokyo"
    assert (tmp_path / "scans.sqlite.web").stat().st_mode & 0o077 == 0


def test_a_page_of_this_machine_makes_no_folder(tmp_path: Path) -> None:
    settings = replace(LOCAL, index=str(tmp_path / "scans.sqlite"))
    with page_folder(settings) as ready:
        page = page_settings(ready)
    assert page.sealer is None
    assert page.sessions is None
    assert not list(tmp_path.iterdir())


def test_a_viewers_token_is_good_at_each_process(tmp_path: Path) -> None:
    """Two applications with one folder, as two workers or a server before and after a restart."""
    settings = replace(LOCAL, index=str(tmp_path / "scans.sqlite"), users_file="users")
    grant = Grant("HTTP", ("1.2",), "ann")
    with page_folder(settings) as ready:
        one, other = (ViewerTokens(page_settings(ready).viewer_key) for _ in range(2))
        token = one.make(grant)
        assert other.read(token) == grant
    with page_folder(settings) as again:
        assert ViewerTokens(page_settings(again).viewer_key).read(token) == grant


def test_plain_workers_share_a_key_for_a_while(tmp_path: Path) -> None:
    settings = replace(LOCAL, index=str(tmp_path / "scans.sqlite"), workers=2)
    with page_folder(settings) as ready:
        one, other = page_settings(ready), page_settings(ready)
        assert one.viewer_key == other.viewer_key is not None
        assert (one.sealer, one.sessions) == (None, None)
    assert not list(tmp_path.iterdir())


def test_an_index_on_a_server_has_a_folder_for_a_while() -> None:
    settings = replace(LOCAL, index="postgresql://db/scans", links="sealed")
    with page_folder(settings) as ready:
        assert ready.web_state is not None
        folder = Path(ready.web_state)
        assert (folder / "links.key").exists()
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_ends_the_command(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = replace(LOCAL, links="sealed", web_state=str(tmp_path / "file" / "folder"))
    with pytest.raises(click.exceptions.Exit), page_folder(settings):
        pass
