"""Output on a terminal (progress bars, the width of tables and texts), and handling of Ctrl-C."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
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


@contextlib.contextmanager
def own_interrupts() -> Iterator[None]:
    """During the `with` block, let Ctrl-C interrupt only this process, not the `make` process that started it.

    If Ctrl-C interrupted `make` too, `make` would report a failure although the command ends as intended. The terminal
    sends the signal to its foreground process group, so this process becomes a process group of its own:
    https://www.gnu.org/software/libc/manual/html_node/Foreground-and-Background.html
    """
    descriptor = sys.__stdin__.fileno() if sys.__stdin__ else -1
    if not os.isatty(descriptor) or os.tcgetpgrp(descriptor) != os.getpgrp() or os.getpgrp() == os.getpid():
        yield
        return
    before = os.getpgrp()
    # SIGTSTP (Ctrl-Z) would stop this process, and `make` would wait forever; SIGTTOU would stop it in `tcsetpgrp`
    for ignored in (signal.SIGTTOU, signal.SIGTSTP):
        signal.signal(ignored, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(descriptor, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(descriptor, before)
