"""A stored operation as data: the type of the constants in `_generated.documents`.

Imports nothing heavy.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Document:
    """One operation of `client/queries` with the fragments it uses.

    `root` is the one field it asks the server for, under which its answer lies (empty: unknown, the
    document is the user's); `sha256` is of
    `text` in UTF-8.
    """

    name: str
    kind: Literal["query", "mutation", "subscription"]
    root: str
    sha256: str
    text: str
