"""Deterministic tensor contents that a reader takes for trained weights: small, finite, never
periodic.

A period would hide a download engine that swaps two segments.
"""

import random
from collections.abc import Iterator

PIECE_BYTES = 1 << 20

# The high byte of each number: its sign stays, the exponent becomes that of about 0.01.
BF16_HIGH = bytes(0x3C | (byte & 0x80) for byte in range(256))
F16_HIGH = bytes(0x20 | (byte & 0x83) for byte in range(256))
BF16_ONE = b"\x80\x3f"
F16_ONE = b"\x00\x3c"
F32_ONE = b"\x00\x00\x80\x3f"


def noise(name: str, size_bytes: int, *, unit_bytes: int = 1) -> Iterator[bytearray]:
    """Random bytes seeded by a name, in pieces of whole units."""
    source = random.Random(name)
    piece_bytes = PIECE_BYTES - PIECE_BYTES % unit_bytes
    for start in range(0, size_bytes, piece_bytes):
        yield bytearray(source.randbytes(min(piece_bytes, size_bytes - start)))


def floats16(name: str, count: int, *, high: bytes) -> Iterator[bytes]:
    """Numbers of two bytes; `high` is one of the tables above."""
    for piece in noise(name, count * 2):
        piece[1::2] = piece[1::2].translate(high)
        yield bytes(piece)


def blocks(
    name: str, count: int, *, block_bytes: int, scale_at: tuple[int, ...]
) -> Iterator[bytes]:
    """Quantised blocks: noise, but with small F16 numbers at these offsets of each block."""
    for piece in noise(name, count * block_bytes, unit_bytes=block_bytes):
        for at in scale_at:
            high = at + 1
            piece[high::block_bytes] = piece[high::block_bytes].translate(F16_HIGH)
        yield bytes(piece)
