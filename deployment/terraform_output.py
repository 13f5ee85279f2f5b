"""Show Terraform's progress, and find the error in its output."""

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from common.terminal import progress_bar

FINISHED_RESOURCE = re.compile(r"^(\S+?): (?:Creation|Modifications|Destruction|Import) complete", re.M)

LOCK = re.compile(
    r"Error acquiring the state lock.*?ID:\s+(?P<id>\S+).*?Operation:\s+(?:OperationType)?(?P<operation>\S+)"
    r".*?Who:\s+(?P<who>\S+).*?Created:\s+(?P<created>\S+ [\d:]+)",
    re.DOTALL,
)


@contextlib.contextmanager
def show_progress(command: str, log: Path, total: int | None) -> Iterator[None]:
    """Show the progress of a Terraform command while its log grows.

    Parameters
    ----------
    command : name of the command, such as `apply`
    log : file that receives the command's output
    total : number of resources to change; None shows only the elapsed time
    """
    ended = threading.Event()
    if not sys.stderr.isatty():
        print(f"terraform {command}", file=sys.stderr, flush=True)
    bar = progress_bar(
        total=total,
        desc=f"terraform {command}",
        unit="resource",
        leave=bool(total),
        bar_format="{desc}: {n}/{total} resources |{bar}| {elapsed}" if total else "{desc} {elapsed}",
    )

    def follow() -> None:
        with log.open() as stream:
            while True:
                last_round = ended.is_set()
                for line in stream:
                    bar.update(1 if FINISHED_RESOURCE.match(line) else 0)
                bar.refresh()
                if last_round:
                    return
                ended.wait(0.3)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        bar.close()


def first_error(output: str) -> str:
    """Return the first error in Terraform's output in one line, without the frame and the references to the code."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    if lock := LOCK.search(plain):
        operation = lock["operation"].lower()
        return (
            f"{lock['who']} has held the state lock since {lock['created']} UTC ({operation}): wait until the "
            f"{operation} has ended. If it was killed, run `terraform force-unlock {lock['id']}` "
            "as docs/operations.md says"
        )
    found = re.search(r"Error: (.*?)(?=\n╵|\nError: |\n╷|\Z)", plain, re.DOTALL)
    if not found:
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        return lines[-1] if lines else "it printed nothing"
    lines = [line.strip("│ \t") for line in found.group(1).splitlines()]
    paragraphs = "\n".join(lines).split("\n\n")
    kept = [
        paragraph for paragraph in paragraphs if not re.match(r"(on |with |This was checked by )", paragraph.strip())
    ]
    return " ".join(" ".join(kept).split())
