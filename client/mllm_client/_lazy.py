"""Modules that are imported when one of their names is first used.

The command line must answer in a few dozen milliseconds, and importing what a verb does not need is
most of its time.
"""

import importlib
import types
from typing import Any


class LazyModule(types.ModuleType):
    """Stands for a module until an attribute is asked for; holds no state but the name."""

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self.__name__), attribute)


def lazy(name: str) -> Any:
    """A stand-in for module `name`.

    Callers declare the real import under `TYPE_CHECKING`, so types are kept.
    """
    return LazyModule(name)
