"""Alembic, run from the program without a command line or a configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

if TYPE_CHECKING:
    from sqlalchemy import Connection


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "dicomquest.index.tables:migrations")
    config.set_main_option("path_separator", "os")
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the missing revisions, in the transaction of ``connection`` if it is in one."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
