"""A built OHIF below a path, on a build of a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicomquest.web.viewer_build import ViewerBuild, ViewerBuildError, configuration
from fixtures.viewer import SECRET, built_viewer


def test_addresses_get_the_path_in_front(tmp_path: Path) -> None:
    build = ViewerBuild(built_viewer(tmp_path), "/a/ohif")
    page = build.file("index.html").body.decode()
    assert 'src="/a/ohif/app.bundle.0123456789abcdef.js"' in page
    assert 'PUBLIC_URL="/a/ohif/"' in page
    script = build.file("app.bundle.0123456789abcdef.js").body.decode()
    assert '__webpack_require__.p = "/a/ohif/";' in script
    assert "import('/a/ohif/dicom-microscopy-viewer/x.js')" in script
    assert 'other.p = ""; "/dicom-web"' in script
    assert "url(/a/ohif/font.woff2)" in build.file("app.bundle.css").body.decode()
    assert '"/a/ohif/assets/icon.png"' in build.file("manifest.json").body.decode()


def test_package_folder_is_understood(tmp_path: Path) -> None:
    built_viewer(tmp_path / "dist")
    assert "index.html" in ViewerBuild(tmp_path, "/ohif")


def test_its_own_configuration_is_left_out(tmp_path: Path) -> None:
    build = ViewerBuild(built_viewer(tmp_path), "/ohif")
    assert [name for name in ("app-config.js", "sw.js", "_headers") if name in build] == []


def test_links_out_of_the_folder_are_left_out(tmp_path: Path) -> None:
    folder = built_viewer(tmp_path / "build")
    secret = tmp_path / "secret.json"
    secret.write_text(SECRET)
    (folder / "link.json").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    build = ViewerBuild(folder, "/ohif")
    assert [
        name for name in ("link.json", "up/secret.json", "../secret.json") if name in build
    ] == []


def test_folder_without_a_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ViewerBuildError, match="has no built OHIF"):
        ViewerBuild(tmp_path, "/ohif")


def test_build_for_another_path_is_refused(tmp_path: Path) -> None:
    """Its scripts would be asked for at addresses that nobody serves."""
    folder = built_viewer(tmp_path)
    (folder / "app.bundle.0123456789abcdef.js").write_text('__webpack_require__.p = "/pacs/";')
    with pytest.raises(ViewerBuildError, match="another path"):
        ViewerBuild(folder, "/ohif")


def test_policy_names_the_scripts_of_the_page(tmp_path: Path) -> None:
    policy = ViewerBuild(built_viewer(tmp_path), "/ohif").policy()
    scripts = next(each for each in policy.split("; ") if each.startswith("script-src"))
    assert scripts.count("'sha256-") == 1
    assert "'unsafe-inline'" not in scripts
    assert "http" not in policy


def test_configuration_names_the_services() -> None:
    script = configuration("/pacs/dicom-web", "/pacs/ohif").decode()
    assert '"qidoRoot": "/pacs/dicom-web"' in script
    assert '"routerBasename": "/pacs/ohif/"' in script
