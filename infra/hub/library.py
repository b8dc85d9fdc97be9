"""The hub library, under the one name that the hub room uses of it.

`huggingface_hub.utils` loads a name when it is used: an import costs nothing, the first request
6 MB and 0.1 s (2.4.0). Untyped here, since it exports its names in a way that mypy does not follow.
"""

from typing import Any

from huggingface_hub import utils as _utils

utils: Any = _utils
