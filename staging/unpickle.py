"""Read the pickles of CIFAR's archive without running anything that they name.

A pickle is a program: it may call whatever it names. Here it reaches a handful of names, and behind them
stand not NumPy's own functions, which trust what they are given, but the few lines below.
"""

import io
import pickle
import pickletools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staging.errors import StagingError

NUMBERS = frozenset({"b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"})
MEMO_WRITES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})


class HostilePickleError(StagingError):
    """The pickle asks for something that no array of numbers needs."""


class DamagedPickleError(StagingError):
    """The pickle cannot be read to its end."""


class _Type:
    """`numpy.dtype`, for plain numbers."""

    def __init__(self, code: bytes | str, *_flags: object) -> None:
        name = code.decode("latin1") if isinstance(code, bytes) else str(code)
        if name not in NUMBERS:
            raise HostilePickleError(f"the pickle holds an array of type {name!r}: only numbers are read")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """`numpy.ndarray`, as `_reconstruct` begins it and its state completes it."""

    def __init__(self, *_placeholder: object) -> None:
        self.array: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Type, bool, bytes]) -> None:
        _version, shape, kind, by_column, raw = state
        self.array = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if by_column else "C")


def _encode(text: str, encoding: str) -> bytes:
    """`_codecs.encode`, by which Python 3 writes bytes in protocol 2; always as Latin-1."""
    if encoding != "latin1":
        raise HostilePickleError(f"the pickle asks for the encoding {encoding!r}: only latin1 is read")
    return text.encode("latin1")


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise HostilePickleError(f"the pickle asks for {module}.{name}: refused")
        return KNOWN[module, name]


def read_pickle(content: bytes) -> dict[Any, Any]:
    """Read one pickled dictionary of CIFAR's; arrays of numbers come as NumPy arrays, text as bytes.

    Raises
    ------
    HostilePickleError
        It names a global beside the ones that rebuild an array, or holds an array of objects.
    DamagedPickleError
        It is cut off, no pickle, or no dictionary.
    """
    try:
        _refuse_memo_bomb(content)
        found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except StagingError:
        raise
    except Exception as error:  # a damaged pickle fails as any of a dozen types
        raise DamagedPickleError(f"the pickle is damaged: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise DamagedPickleError(f"the pickle holds a {type(found).__name__}, not a dictionary")
    return {key: value.array if isinstance(value, _Array) else value for key, value in found.items()}


def _refuse_memo_bomb(content: bytes) -> None:
    """Refuse a memo index beyond all reason: the C unpickler would allocate a table of that length."""
    for opcode, argument, _position in pickletools.genops(content):
        if opcode.name in MEMO_WRITES and isinstance(argument, int) and argument > len(content):
            raise HostilePickleError(f"the pickle asks for a memo of {argument} entries: refused")
