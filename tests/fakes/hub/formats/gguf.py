"""Writes GGUF version 3 files.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; block sizes: ggml-common.h.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import prod
from pathlib import Path

from tests.fakes.hub.formats import numbers

ALIGNMENT_BYTES = 32
VERSION = 3
Value = bool | int | float | str | Sequence[str] | Sequence[int]

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


class Kind(Enum):
    """ggml number, elements and bytes of a block, and the offsets of its F16 scales."""

    F32 = (0, 1, 4, ())
    Q8_0 = (8, 32, 34, (0,))
    Q4_K = (12, 256, 144, (0, 2))
    Q6_K = (14, 256, 210, (208,))

    def __init__(
        self, number: int, elements: int, size_bytes: int, scale_at: tuple[int, ...]
    ) -> None:
        self.number = number
        self.elements = elements
        self.block_bytes = size_bytes
        self.scale_at = scale_at


@dataclass(frozen=True, slots=True)
class Tensor:
    """`dimensions` are in the order of GGUF: the row length first. F32 tensors are ones."""

    name: str
    kind: Kind
    dimensions: tuple[int, ...]

    @property
    def count(self) -> int:
        return prod(self.dimensions)

    @property
    def size_bytes(self) -> int:
        return self.count // self.kind.elements * self.kind.block_bytes

    def content(self) -> Iterator[bytes]:
        if self.dimensions[0] % self.kind.elements:
            raise ValueError(f"{self.name}: rows are no whole blocks of {self.kind.name}")
        if self.kind is Kind.F32:
            yield numbers.F32_ONE * self.count
            return
        yield from numbers.blocks(
            f"{self.kind.name} {self.name}",
            self.count // self.kind.elements,
            block_bytes=self.kind.block_bytes,
            scale_at=self.kind.scale_at,
        )


def write(path: Path, *, metadata: Mapping[str, Value], tensors: Sequence[Tensor]) -> None:
    """int is written as UINT32, a list of int as an array of INT32."""
    head = b"GGUF" + struct.pack("<IQQ", VERSION, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += _string(key) + _typed(value)
    at = 0
    for tensor in tensors:
        dimensions = struct.pack(f"<{len(tensor.dimensions)}Q", *tensor.dimensions)
        head += _string(tensor.name) + struct.pack("<I", len(tensor.dimensions)) + dimensions
        head += struct.pack("<IQ", tensor.kind.number, at)
        at += _aligned(tensor.size_bytes)
    with path.open("wb") as stream:
        stream.write(head.ljust(_aligned(len(head)), b"\0"))
        for tensor in tensors:
            stream.writelines(tensor.content())
            stream.write(b"\0" * (_aligned(tensor.size_bytes) - tensor.size_bytes))


def _aligned(size_bytes: int) -> int:
    return size_bytes + -size_bytes % ALIGNMENT_BYTES


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _typed(value: Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<IB", BOOL, value)
        case int():
            return struct.pack("<II", UINT32, value)
        case float():
            return struct.pack("<If", FLOAT32, value)
        case str():
            return struct.pack("<I", STRING) + _string(value)
        case _:
            return struct.pack("<I", ARRAY) + _array(value)


def _array(values: Sequence[str] | Sequence[int]) -> bytes:
    texts = [value for value in values if isinstance(value, str)]
    if texts:
        return struct.pack("<IQ", STRING, len(texts)) + b"".join(map(_string, texts))
    return struct.pack(f"<IQ{len(values)}i", INT32, len(values), *values)
