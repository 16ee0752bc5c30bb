"""The schema's revisions (Alembic), packaged with the program and run by it."""
