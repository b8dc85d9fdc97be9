"""SHA-256 whose state can be written down, so that a resume need not read gigabytes again.

hashlib cannot do that. OpenSSL's own functions can (`SHA256_CTX`, deprecated in 3.0 and still
there); they are tried out once before they are trusted, and hashlib stands in where they fail.
"""

import _hashlib
import ctypes
import hashlib
import struct
import sys
from functools import cache
from typing import Protocol

# openssl/sha.h: h[8], Nl, Nh, data[16], num, md_len, all of 32 bits.
_CONTEXT = struct.Struct("=8I2I64s2I")
_CONTEXT_BYTES = 112
# Behind the context, so that a larger one in another library is found out and harms nobody.
_GUARD = b"\xa5" * 144
_DIGEST_BYTES = 32


class Sha256(Protocol):
    """`state`: what `restored` takes, or None: this one cannot be written down."""

    def update(self, data: memoryview) -> None: ...

    def hexdigest(self) -> str: ...

    def state(self) -> bytes | None: ...


def sha256() -> Sha256:
    """A fresh one."""
    library = _library()
    return _Hashlib() if library is None else _OpenSsl(library)


def restored(state: bytes, *, position_bytes: int) -> Sha256 | None:
    """One that has eaten `position_bytes`; None: the state is not of that, or not of here."""
    library = _library()
    if library is None or not _plausible(state, position_bytes):
        return None
    return _OpenSsl(library, state)


class _Hashlib:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, data: memoryview) -> None:
        self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def state(self) -> bytes | None:
        return None


class _OpenSsl:
    """The calls release the GIL."""

    def __init__(self, library: ctypes.CDLL, state: bytes | None = None) -> None:
        self._library = library
        initial = state or bytes(_CONTEXT_BYTES)
        self._context = ctypes.create_string_buffer(initial + _GUARD, _CONTEXT_BYTES + len(_GUARD))
        if state is None and library.SHA256_Init(self._context) != 1:
            raise MemoryError("SHA256_Init")

    def update(self, data: memoryview) -> None:
        """`data` must be writable memory, as received into."""
        if data:
            address = ctypes.addressof(ctypes.c_char.from_buffer(data))
            self._library.SHA256_Update(self._context, address, data.nbytes)

    def hexdigest(self) -> str:
        last = ctypes.create_string_buffer(self._context.raw, len(self._context))
        digest = ctypes.create_string_buffer(_DIGEST_BYTES)
        self._library.SHA256_Final(digest, last)
        return digest.raw.hex()

    def state(self) -> bytes | None:
        return self._context.raw[:_CONTEXT_BYTES]

    def intact(self) -> bool:
        return self._context.raw[_CONTEXT_BYTES:] == _GUARD


def _plausible(state: bytes, position_bytes: int) -> bool:
    """The context counts bits in Nl and Nh, and the bytes of the last block in num."""
    if len(state) != _CONTEXT_BYTES:
        return False
    *_, low, high, _data, pending, digest_bytes = _CONTEXT.unpack(state)
    bits = (high << 32) | low
    expected = (position_bytes * 8, position_bytes % 64, _DIGEST_BYTES)
    return (bits, pending, digest_bytes) == expected


@cache
def _library() -> ctypes.CDLL | None:
    """OpenSSL as this Python uses it, or as it is installed; None: not to be trusted."""
    # A look-up in an extension module goes on in the libraries that it is linked with.
    names = [getattr(_hashlib, "__file__", None), "libcrypto.so.3", "libcrypto.so.1.1"]
    for name in names:
        try:
            library = ctypes.CDLL(name) if name else None
            if library is not None and _tried_out(library):
                return library
        except (OSError, AttributeError):
            continue
    return None


def _tried_out(library: ctypes.CDLL) -> bool:
    library.SHA256_Init.argtypes = [ctypes.c_void_p]
    library.SHA256_Update.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    library.SHA256_Final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    data = memoryview(bytearray(range(256)) * 3)
    for cut in (0, 1, 64, 119, 700):
        first = _OpenSsl(library)
        first.update(data[:cut])
        state = first.state()
        if state is None or not first.intact() or not _plausible(state, cut):
            return False
        second = _OpenSsl(library, state)
        second.update(data[cut:])
        if not second.intact() or second.hexdigest() != hashlib.sha256(data).hexdigest():
            return False
    return sys.byteorder == "little"  # what else was never tried
