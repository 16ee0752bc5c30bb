"""What Alembic runs: the revisions, on the connection that the program hands over."""

from __future__ import annotations

from alembic import context

# Where the connection is not in a transaction already, each revision gets one.
context.configure(
    connection=context.config.attributes["connection"], transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
