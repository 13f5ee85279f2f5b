"""Read CIFAR's pickles without running any code that they name.

A pickle is a program that may call any global it names. This unpickler knows only the few globals that rebuild
an array of numbers, and replaces NumPy's functions, which trust their input, with the small classes below.
"""

import io
import pickle
import pickletools
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = frozenset({"b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"})
MEMO_WRITES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})


class PickleError(Exception):
    """The pickle is damaged, or does not contain a dictionary."""


class UnsafePickleError(PickleError):
    """The pickle names a global or a type that an array of numbers does not need."""


class _Type:
    """Replaces `numpy.dtype`, for numbers only."""

    def __init__(self, code: bytes | str, *_flags: object) -> None:
        name = code.decode("latin1") if isinstance(code, bytes) else str(code)
        if name not in NUMBERS:
            raise UnsafePickleError(f"the pickle contains an array of type {name!r}: only numbers are allowed")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Replaces `numpy.ndarray`: created empty by `_reconstruct`, filled by `__setstate__`."""

    def __init__(self, *_placeholder: object) -> None:
        self.array: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Type, bool, bytes]) -> None:
        _version, shape, kind, by_column, raw = state
        self.array = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if by_column else "C")


def _encode(text: str, encoding: str) -> bytes:
    """Replace `_codecs.encode`, with which Python 3 writes bytes in protocol 2, always as Latin-1."""
    if encoding != "latin1":
        raise UnsafePickleError(f"the pickle uses the encoding {encoding!r}: only latin1 is allowed")
    return text.encode("latin1")


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): "numpy.ndarray",  # only used as an argument of _reconstruct
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise UnsafePickleError(f"the pickle names {module}.{name}, which is not allowed")
        return KNOWN[module, name]


def read_pickle(content: bytes) -> dict[Any, Any]:
    """Read a pickled dictionary; arrays of numbers become NumPy arrays, strings become bytes.

    Raises
    ------
    UnsafePickleError
        The pickle names a global that does not rebuild an array of numbers, or contains an array of objects.
    PickleError
        The pickle is truncated or invalid, or does not contain a dictionary.
    """
    try:
        _refuse_memo_bomb(content)
        unpickled = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except PickleError:
        raise
    except Exception as error:  # a damaged pickle raises any of a dozen types
        raise PickleError(f"the pickle is damaged: {' '.join(str(error).split())}") from error
    if not isinstance(unpickled, dict):
        raise PickleError(f"the pickle contains a {type(unpickled).__name__}, not a dictionary")
    return {key: value.array if isinstance(value, _Array) else value for key, value in unpickled.items()}


def _refuse_memo_bomb(content: bytes) -> None:
    """Refuse a memo index that exceeds the pickle's size: the C unpickler would allocate a table of that length."""
    for opcode, argument, _position in pickletools.genops(content):
        if opcode.name in MEMO_WRITES and isinstance(argument, int) and argument > len(content):
            raise UnsafePickleError(f"the pickle asks for a memo of {argument} entries, which is not allowed")
