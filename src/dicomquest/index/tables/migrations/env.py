"""The entry of Alembic: it runs the revisions on the connection that the program gives it."""

from __future__ import annotations

from alembic import context

# Each revision gets a transaction, unless the connection is in one already.
context.configure(
    connection=context.config.attributes["connection"], transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
