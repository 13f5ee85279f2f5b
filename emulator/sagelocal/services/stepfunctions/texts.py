"""A sequence of texts that is stored in memory while it is small, and on disk when it is large."""

import tempfile
import threading
from array import array

MAX_MEMORY = 1 << 20  # bytes


class Texts:
    """A growing sequence of texts, so that a Map Run with a million items needs little memory."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MAX_MEMORY)  # noqa: SIM115  closed when the sequence is deleted
        self._ends = array("Q", [0])
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        with self._lock:
            start, end = self._ends[index : index + 2]
            self._file.seek(start)
            return self._file.read(end - start).decode()

    def add(self, text: str) -> int:
        """Add a text and return its index."""
        encoded = text.encode()
        with self._lock:
            self._file.seek(self._ends[-1])
            self._file.write(encoded)
            self._ends.append(self._ends[-1] + len(encoded))
            return len(self._ends) - 2
