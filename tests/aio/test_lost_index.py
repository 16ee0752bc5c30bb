"""The index goes and comes while a server runs on it: refused without, answered with."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from dicomquest import AE
from dicomquest.index import Index
from dicomquest.sync import Association
from fixtures.building import instance
from fixtures.faces import HOST, STUDY_ROOT, data_set
from fixtures.postgresql_cluster import wait_for
from fixtures.serving import serving
from fixtures.timing import LONG

QUERY = data_set(QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientID="P1")


def make(path: Path, study: int) -> Path:
    with Index(path) as index:
        index.ingest_data_sets([instance(1, study=study)])
    return path


def ask(association: Association) -> tuple[int, list[str]]:
    """The final status, and the studies found."""
    answers = list(association.send_c_find(QUERY, STUDY_ROOT))
    found = [str(match.StudyInstanceUID) for _, match in answers if match is not None]
    return int(answers[-1][0].Status), found


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_outlives_its_index(tmp_path: Path, workers: str) -> None:
    """Gone: A700, and no empty index appears. Replaced: answered from the new one, soon."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = make(folder / "index.sqlite", study=1)
    ae = AE("ASKER")
    ae.add_requested_context(STUDY_ROOT)
    with serving(path, tmp_path, "--workers", workers) as server:
        # Several, so that each worker has some.
        associations = [ae.associate(HOST, server.port) for _ in range(8)]
        try:
            assert {str(ask(each)) for each in associations} == {"(0, ['1.2.1'])"}
            path.unlink()
            wait_for(
                lambda: {str(ask(each)) for each in associations} == {f"({0xA700}, [])"},
                "all workers refuse",
            )
            server.log_with("requests are refused until there is one")
            assert not path.exists()
            make(path, study=2)
            wait_for(
                lambda: {str(ask(each)) for each in associations} == {"(0, ['1.2.2'])"},
                "all workers answer from the new index",
            )
            make(folder / "other.sqlite", study=3).rename(path)
            wait_for(
                lambda: {str(ask(each)) for each in associations} == {"(0, ['1.2.3'])"},
                "all workers answer from the newest index",
            )
        finally:
            for association in associations:
                association.release()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(LONG) == 0
        assert "Traceback" not in server.log
