"""Writes safetensors files: 8 bytes of header length, a JSON header padded to 8, the tensors
without gaps.

Format: https://github.com/huggingface/safetensors, README, section Format.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from tests.fakes.hub.formats import numbers

DTYPE_BYTES = {"BF16": 2, "F16": 2, "I32": 4}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to be written; norms are ones, everything else noise."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.count * DTYPE_BYTES[self.dtype]

    def content(self) -> Iterator[bytes]:
        if self.name.endswith("norm.weight"):
            yield (numbers.BF16_ONE if self.dtype == "BF16" else numbers.F16_ONE) * self.count
        elif self.dtype == "I32":
            yield from map(bytes, numbers.noise(self.name, self.size_bytes))
        else:
            high = numbers.BF16_HIGH if self.dtype == "BF16" else numbers.F16_HIGH
            yield from numbers.floats16(self.name, self.count, high=high)


def write(path: Path, tensors: Sequence[Tensor]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for tensor in tensors:
        end = at + tensor.size_bytes
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [at, end],
        }
        at = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(encoded)) + encoded)
        for tensor in tensors:
            stream.writelines(tensor.content())


def write_sharded(folder: Path, tensors: Sequence[Tensor], *, shards: int) -> None:
    """Shards of about equal size and their index, named as transformers does."""
    total_bytes = sum(tensor.size_bytes for tensor in tensors)
    groups: list[list[Tensor]] = [[] for _ in range(shards)]
    done_bytes = 0
    for tensor in tensors:
        groups[min(done_bytes * shards // total_bytes, shards - 1)].append(tensor)
        done_bytes += tensor.size_bytes
    weight_map: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        name = f"model-{number:05}-of-{shards:05}.safetensors"
        write(folder / name, group)
        weight_map |= {tensor.name: name for tensor in group}
    parameters = sum(tensor.count for tensor in tensors)
    index = {
        "metadata": {"total_parameters": parameters, "total_size": total_bytes},
        "weight_map": dict(sorted(weight_map.items())),
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
