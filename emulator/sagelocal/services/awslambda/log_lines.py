"""The lines that Lambda adds to the log before and after each invocation, as text or as JSON."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sagelocal.services.awslambda.function import Function


@dataclass(frozen=True)
class Usage:
    """The resource usage of an invocation.

    Attributes
    ----------
    start
        Time at which the invocation started.
    seconds
        Duration of the invocation.
    init
        Duration of the initialization in seconds; None for a warm start.
    memory
        Peak memory in MB.
    """

    start: datetime
    seconds: float
    init: float | None
    memory: int


def format_log(function: Function, request_id: str, written: str, usage: Usage) -> str:
    """Return an invocation's log: the function's output (`written`) between Lambda's own lines."""
    format_lines = _json if function.logging.format == "JSON" else _text
    return format_lines(function, request_id, written, usage)


def _text(function: Function, request_id: str, written: str, usage: Usage) -> str:
    request = f"RequestId: {request_id}"
    report = [
        f"REPORT {request}",
        f"Duration: {usage.seconds * 1000:.2f} ms",
        f"Billed Duration: {_billed(usage)} ms",
        f"Memory Size: {function.memory} MB",
        f"Max Memory Used: {usage.memory} MB",
        *([f"Init Duration: {usage.init * 1000:.2f} ms"] if usage.init is not None else []),
    ]
    start = f"START {request} Version: {function.version}\n"
    return f"{start}{written}END {request}\n" + "\t".join(report) + "\t\n"


def _json(function: Function, request_id: str, written: str, usage: Usage) -> str:
    # Source: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    metrics: dict[str, Any] = {
        "durationMs": round(usage.seconds * 1000, 3),
        "billedDurationMs": _billed(usage),
        "memorySizeMB": function.memory,
        "maxMemoryUsedMB": usage.memory,
        **({"initDurationMs": round(usage.init * 1000, 3)} if usage.init is not None else {}),
    }
    start = _event(usage.start, "platform.start", {"requestId": request_id, "version": function.version})
    report = _event(datetime.now(UTC), "platform.report", {"requestId": request_id, "metrics": metrics})
    return f"{start}{written}{report}"


def _event(time: datetime, kind: str, record: dict[str, Any]) -> str:
    text = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": text, "type": kind, "record": record}) + "\n"


def _billed(usage: Usage) -> int:
    """Return the duration of the invocation and of its initialization in milliseconds, rounded up."""
    # AWS bills the initialization of all functions since 2025-08-01:
    # https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
    return math.ceil(round((usage.seconds + (usage.init or 0)) * 1000, 3))
