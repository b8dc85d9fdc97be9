"""Python SDK of mllm, the control plane for self-hosted language models.

`Client` and `connect` are the way in.

Names are imported on first use, so that the command line of the same package starts fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mllm_client._version import __version__

if TYPE_CHECKING:
    from mllm_client.client import Client, connect
    from mllm_client.errors import (
        BadServerUrl,
        Forbidden,
        GraphQLFailure,
        MllmError,
        TokenFileRefused,
        Unauthenticated,
        Unreachable,
        UserError,
        UserErrors,
    )
    from mllm_client.subscriptions import Retry

_HOMES = {
    "Client": "client",
    "connect": "client",
    "Retry": "subscriptions",
    "BadServerUrl": "errors",
    "Forbidden": "errors",
    "GraphQLFailure": "errors",
    "MllmError": "errors",
    "TokenFileRefused": "errors",
    "Unauthenticated": "errors",
    "Unreachable": "errors",
    "UserError": "errors",
    "UserErrors": "errors",
}

__all__ = [
    "BadServerUrl",
    "Client",
    "Forbidden",
    "GraphQLFailure",
    "MllmError",
    "Retry",
    "TokenFileRefused",
    "Unauthenticated",
    "Unreachable",
    "UserError",
    "UserErrors",
    "__version__",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"mllm_client.{_HOMES[name]}"), name)
