"""`dicomquest` as a next release: it knows one more revision of the schema."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config

from dicomquest.cli import main
from dicomquest.index.tables import migrations
from dicomquest.index.tables.migrations import run

VERSIONS = Path(__file__).parent / "next_versions"
OWN_NEWEST = migrations.NEWEST_REVISION
ORIGINAL_CONFIG = run._config


def config_with_one_more() -> Config:
    config = ORIGINAL_CONFIG()
    assert migrations.__file__ is not None
    own = Path(migrations.__file__).parent / "versions"
    config.set_main_option("version_locations", f"{own}:{VERSIONS}")
    return config


if __name__ == "__main__":
    migrations.NEWEST_REVISION = "9999"
    run._config = config_with_one_more
    main()
