"""The tables of the index: schema, migrations, and an entity as a row (PS3.4 C.6)."""
