"""Invocations of type Event: repeated when they fail, then handed to the function's dead letter queue."""

import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sagelocal.core.emulator import Emulator
from sagelocal.services.awslambda.errors import TooManyRequestsError
from sagelocal.services.awslambda.function import Result

WAITS = (1.0, 2.0)  # seconds before each retry, at most AWS's two; AWS waits as many minutes
THROTTLED_WAIT = 0.5  # seconds until a throttled event is tried again


class Events:
    """Runs events in the background."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._stopping = threading.Event()
        emulator.on_stop(self._stopping.set)

    def accept(self, run: Callable[[], Result], version: Any, arn: str, payload: bytes) -> None:
        """Run an event later; `run` does it once."""
        threading.Thread(target=self._work, args=(run, version, arn, payload), daemon=True).start()

    def _work(self, run: Callable[[], Result], version: Any, arn: str, payload: bytes) -> None:
        configured = _configured(version)
        results = []
        for wait in (0.0, *WAITS[: int(configured.get("MaximumRetryAttempts", len(WAITS)))]):
            result = None if self._stopping.wait(wait) else self._once(run)
            if result is None:
                return
            results.append(result)
            if not result.failed:
                break
        last = results[-1]
        record = _record(arn, payload, last, len(results))
        self._send(_destination(configured, "OnFailure" if last.failed else "OnSuccess"), record, arn)
        if last.failed and version.dead_letters:
            self._send(version.dead_letters.get("TargetArn"), payload.decode(), arn)

    def _once(self, run: Callable[[], Result]) -> Result | None:
        """One attempt, as soon as it is not throttled; None when the emulator stops first."""
        while not self._stopping.is_set():
            try:
                return run()
            except TooManyRequestsError:
                self._stopping.wait(THROTTLED_WAIT)
        return None

    def _send(self, target: str | None, message: str, source: str) -> None:
        """Send to the queue, topic or function of an ARN."""
        if not target:
            return
        service, region, name = target.split(":")[2], target.split(":")[3], target.split(":")[-1]
        client = self._emulator.client(service, region) if service in {"sqs", "sns", "lambda"} else None
        if client is None:
            print(f"{source}: the emulator sends no events of functions to {target}", file=sys.stderr, flush=True)
        elif service == "sqs":
            client.send_message(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=message)
        elif service == "sns":
            client.publish(TopicArn=target, Message=message)
        else:
            client.invoke(FunctionName=target, InvocationType="Event", Payload=message.encode())


def _configured(version: Any) -> dict[str, Any]:
    configs = version.event_invoke_config
    return dict(configs[-1].config) if configs else {}


def _destination(configured: dict[str, Any], condition: str) -> str | None:
    found: str | None = ((configured.get("DestinationConfig") or {}).get(condition) or {}).get("Destination")
    return found


def _record(arn: str, payload: bytes, result: Result, attempts: int) -> str:
    """The invocation record that AWS sends to destinations."""
    record = {
        "version": "1.0",
        "timestamp": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        "requestContext": {
            "functionArn": arn,
            "condition": "RetriesExhausted" if result.failed else "Success",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(payload),
        "responseContext": {"statusCode": 200, **({"functionError": "Unhandled"} if result.failed else {})},
        "responsePayload": json.loads(result.payload),
    }
    return json.dumps(record)
