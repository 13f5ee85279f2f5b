"""Garbage collection around imports.

This module imports only the standard library, so that commands start quickly.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Pause garbage collection while modules are imported, and exclude their objects from later collections.

    The imported objects live as long as the process, so visiting them in every full collection would waste time.
    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
