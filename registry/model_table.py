"""A table of the registered models for the terminal."""

import textwrap
from collections.abc import Iterator, Sequence

from common.terminal import WIDTH
from common.times import format_utc
from registry.model_registry import Version

STATUS = {"PendingManualApproval": "pending"}
COLUMNS = "{:<6}{:<19}{:<27}{:<18}{}"


def model_table(versions: Sequence[Version], in_use: str | None) -> Iterator[str]:
    """Yield a heading, then for each version a row, its data source, the result of the quality gate and the approval.

    Parameters
    ----------
    in_use : ARN of the version in use
    """
    yield COLUMNS.format("model", "status", "validation accuracy", "registered (UTC)", "commit")
    for version in versions:
        low, high = version.score.interval
        status = STATUS.get(version.status, version.status.lower())
        yield COLUMNS.format(
            version.name,
            f"{status}, in use" if version.arn == in_use else status,
            f"{version.score.accuracy:.3f} ({low:.3f} to {high:.3f})",
            format_utc(version.registered, "%Y-%m-%d %H:%M"),
            short_commit(version.properties.get("code", "")),
        )
        for title, text in (
            ("data", version.properties.get("source", "unknown")),
            ("gate", version.gate_reason),
            (status, version.decision),
        ):
            yield textwrap.fill(text, WIDTH, initial_indent=f"{'':6}{title:<10}", subsequent_indent=" " * 16)


def short_commit(code: str) -> str:
    """Return the first seven digits of a commit; a plus sign at the end marks uncommitted changes."""
    return code[:7] + ("+" if code.endswith("-dirty") else "")
