"""SQL for SQLite and Postgres: types, engines, and the one place that commits."""
