"""The connections to a database, SQLite or PostgreSQL: one writer and many readers."""
