"""The base class of the generated client, copied by ariadne-codegen beside what it generates.

It must define the class it names, so it derives; the behaviour lives in `mllm_client.base_client`.
"""

from mllm_client.base_client import BaseClient


class GeneratedBase(BaseClient):
    """See `mllm_client.base_client.BaseClient`."""
