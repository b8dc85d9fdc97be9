"""The version of mllm-client, importable alone; a test keeps it equal to pyproject.toml."""

__version__ = "0.1.0"
