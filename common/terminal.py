"""Output to a terminal: progress bars, and the width of tables and texts."""

from functools import partial

from tqdm import tqdm

WIDTH = 80  # columns

# Shown only if stderr is a terminal
progress_bar = partial(tqdm, ncols=WIDTH, disable=None)
