"""Output to a terminal: progress bars, and the width of tables and texts."""

from functools import partial

from tqdm import tqdm

WIDTH = 80  # columns

# Shown only if stderr is a terminal
progress_bar = partial(tqdm, ncols=WIDTH, disable=None)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, which gets an `s` unless the number is 1.

    Examples
    --------
    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
