"""What Lambda itself writes into a function's log: around each invocation, as text or as JSON."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sagelocal.services.awslambda.function import Function


@dataclass(frozen=True)
class Used:
    """What an invocation used: seconds, seconds of initialization where it had one, and MB of memory at the most."""

    seconds: float
    init: float | None
    memory: int


def logged(function: Function, request_id: str, written: str, used: Used) -> str:
    """An invocation's log: what the function wrote, between Lambda's own lines."""
    form = _json if function.logging.form == "JSON" else _text
    return form(function, request_id, written, used)


def _text(function: Function, request_id: str, written: str, used: Used) -> str:
    request = f"RequestId: {request_id}"
    report = [
        f"REPORT {request}",
        f"Duration: {used.seconds * 1000:.2f} ms",
        f"Billed Duration: {_billed(used)} ms",
        f"Memory Size: {function.memory} MB",
        f"Max Memory Used: {used.memory} MB",
        *([f"Init Duration: {used.init * 1000:.2f} ms"] if used.init is not None else []),
    ]
    start = f"START {request} Version: {function.version}\n"
    return f"{start}{written}END {request}\n" + "\t".join(report) + "\t\n"


def _json(function: Function, request_id: str, written: str, used: Used) -> str:
    # https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    metrics: dict[str, Any] = {
        "durationMs": round(used.seconds * 1000, 3),
        "billedDurationMs": _billed(used),
        "memorySizeMB": function.memory,
        "maxMemoryUsedMB": used.memory,
        **({"initDurationMs": round(used.init * 1000, 3)} if used.init is not None else {}),
    }
    start = _event("platform.start", {"requestId": request_id, "version": function.version})
    report = _event("platform.report", {"requestId": request_id, "metrics": metrics})
    return f"{start}{written}{report}"


def _event(kind: str, record: dict[str, Any]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": now, "type": kind, "record": record}) + "\n"


def _billed(used: Used) -> int:
    return int(used.seconds * 1000) + 1
