"""Read CIFAR's pickles without running any code that they name.

A pickle is a program that may call any global that it names, such as `os.system`. This unpickler allows only the few
globals that rebuild a dictionary or an array of numbers or text. It replaces NumPy's classes and functions with those
below, because NumPy's do not validate their input.
"""

import io
import pickle
import pickletools
import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# NumPy's type codes for numbers (with their size in bytes), for byte strings and text (with their length), and for
# objects, which are unpickled one by one like the elements of a list
TYPES = re.compile("b1|[ui][1248]|f[248]|[SU][1-9][0-9]{0,3}|O8")
# Opcodes that store an object in the unpickler's memo at the index that the pickle names
MEMO_WRITES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})


class PickleError(Exception):
    """The pickle is damaged, or does not contain a dictionary."""


class UnsafePickleError(PickleError):
    """The pickle contains something that a dictionary with arrays of numbers or text does not need."""


class _Type:
    """Replaces `numpy.dtype`, for numbers, text and objects only."""

    def __init__(self, code: bytes | str, *_flags: object) -> None:
        name = code.decode("latin1") if isinstance(code, bytes) else str(code)
        if not TYPES.fullmatch(name):
            raise UnsafePickleError(
                f"the pickle contains an array of type {name!r}: only numbers, text and objects are allowed"
            )
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Replaces `numpy.ndarray`: created empty by `_reconstruct`, filled by `__setstate__`."""

    def __init__(self, *_placeholder: object) -> None:
        self.array: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Type, bool, bytes | list[Any]]) -> None:
        _version, shape, kind, by_column, raw = state
        # an array of objects is pickled as a list; frombuffer refuses to create objects from bytes
        array = np.frombuffer(raw, kind.dtype) if isinstance(raw, bytes) else np.array(raw, kind.dtype)
        self.array = array.reshape(shape, order="F" if by_column else "C")


def _from_buffer(raw: bytes, kind: _Type, shape: tuple[int, ...], order: Literal["C", "F"]) -> _Array:
    """Replace `_frombuffer`, with which NumPy rebuilds a contiguous array from a pickle of protocol 5."""
    rebuilt = _Array()
    rebuilt.array = np.frombuffer(raw, kind.dtype).reshape(shape, order=order)
    return rebuilt


def _scalar(kind: _Type, raw: bytes) -> Any:
    """Replace `scalar`, with which NumPy rebuilds one element of an array; return it as a Python object."""
    return np.frombuffer(raw, kind.dtype, count=1)[0].item()


def _encode(text: str, encoding: str) -> bytes:
    """Replace `_codecs.encode`, which rebuilds bytes from Latin-1 in pickles that Python 3 wrote in protocol 2."""
    if encoding != "latin1":
        raise UnsafePickleError(f"the pickle uses the encoding {encoding!r}: only latin1 is allowed")
    return text.encode("latin1")


KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "numpy.ndarray",  # only used as an argument of _reconstruct
    ("numpy", "memmap"): "numpy.memmap",  # also only an argument; a pickle contains the array's content, not its path
    ("numpy", "dtype"): _Type,
    ("collections", "OrderedDict"): dict,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):  # NumPy 2 renamed the package
    KNOWN[f"{_core}.memmap", "memmap"] = "numpy.memmap"
    KNOWN[f"{_core}.multiarray", "_reconstruct"] = _Array
    KNOWN[f"{_core}.multiarray", "scalar"] = _scalar
    KNOWN[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise UnsafePickleError(f"the pickle names {module}.{name}, which is not allowed")
        return KNOWN[module, name]


def read_pickle(content: bytes) -> dict[str, Any]:
    """Read a pickled dictionary of any protocol; arrays of numbers or text become NumPy arrays.

    Keys become text, as Python 3 writes them. In values, strings of Python 2 become bytes.

    Raises
    ------
    UnsafePickleError
        The pickle contains something that a dictionary with arrays of numbers or text does not need, such as a call of
        another function.
    PickleError
        The pickle is truncated or invalid, or does not contain a dictionary.
    """
    try:
        _refuse_memo_bomb(content)
        unpickled = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except PickleError:
        raise
    except Exception as error:  # a damaged pickle can raise a dozen types of exceptions
        raise PickleError(f"the pickle is damaged: {' '.join(str(error).split())}") from error
    if not isinstance(unpickled, dict):
        raise PickleError(f"the pickle contains a {type(unpickled).__name__}, not a dictionary")
    return {_text(key): value.array if isinstance(value, _Array) else value for key, value in unpickled.items()}


def _text(key: object) -> str:
    return key.decode("utf-8", errors="replace") if isinstance(key, bytes) else str(key)


def _refuse_memo_bomb(content: bytes) -> None:
    """Refuse a memo index that exceeds the pickle's size: the C unpickler would allocate a table of this length."""
    for opcode, argument, _position in pickletools.genops(content):
        if opcode.name in MEMO_WRITES and isinstance(argument, int) and argument > len(content):
            raise UnsafePickleError(f"the pickle asks for a memo of {argument} entries, which is not allowed")
