"""The version of the server and of its schema; a test compares it with pyproject.toml."""

VERSION = "0.1.0"
