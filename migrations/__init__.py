"""The schema of the database, step by step."""

# The newest step. Compared with the database before Alembic is loaded, which takes 0.8 s; a test
# compares it with the steps.
HEAD = "0001"
