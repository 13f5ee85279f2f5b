"""What a person sees while Terraform works, and of what it says when it fails."""

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

DONE = re.compile(r"^(\S+?): (?:Creation|Modifications|Destruction) complete")


@contextlib.contextmanager
def progress(name: str, log: Path, total: int | None) -> Iterator[None]:
    """Follow a growing log: a bar that counts finished resources, or only the time where none is known."""
    finished = threading.Event()
    if not sys.stderr.isatty():
        print(f"terraform {name}", file=sys.stderr, flush=True)
    bar = tqdm(
        total=total,
        disable=None,  # where nobody watches, a line is enough
        desc=f"terraform {name}",
        unit="resource",
        file=sys.stderr,
        ncols=80,
        leave=bool(total),
        bar_format="{desc}: {n}/{total} resources |{bar}| {elapsed}" if total else "{desc} {elapsed}",
    )

    def follow() -> None:
        with log.open() as stream:
            while True:
                last_round = finished.is_set()
                for line in stream:
                    bar.update(1 if DONE.match(line) else 0)
                bar.refresh()
                if last_round:
                    return
                finished.wait(0.3)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        bar.close()


def first_error(text: str) -> str:
    """Terraform's first error in one line, without its frame and its excerpt of the code."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    found = re.search(r"Error: (.*?)(?=\n╵|\nError: |\n╷|\Z)", plain, re.DOTALL)
    if not found:
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        return lines[-1] if lines else "it printed nothing"
    lines = [line.strip("│ \t") for line in found.group(1).splitlines()]
    paragraphs = "\n".join(lines).split("\n\n")
    kept = [each for each in paragraphs if not re.match(r"(on |with )", each.strip())]
    return " ".join(" ".join(kept).split())
