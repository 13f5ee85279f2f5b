"""Asynchronous invocations: retries, destinations and dead-letter queues."""

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

RETRY_WAITS = (1.0, 2.0)  # seconds before the first and the second retry; AWS waits one and two minutes
THROTTLED_WAIT = 0.5  # seconds before a throttled event is retried


class Events:
    """Runs asynchronous invocations in background threads."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._stopping = threading.Event()
        emulator.on_stop(self._stopping.set)

    def accept(self, run: Callable[[], Result], version: Any, arn: str, payload: bytes) -> None:
        """Invoke a function with an event in the background.

        Parameters
        ----------
        run
            Callable that invokes the function once and returns the result.
        version
            moto's object for the function version.
        arn
            Function ARN in the request.
        payload
            The event, as JSON.
        """
        threading.Thread(target=self._process, args=(run, version, arn, payload), daemon=True).start()

    def _process(self, run: Callable[[], Result], version: Any, arn: str, payload: bytes) -> None:
        config = _invoke_config(version)
        results = []
        for wait in (0.0, *RETRY_WAITS[: int(config.get("MaximumRetryAttempts", len(RETRY_WAITS)))]):
            result = None if self._stopping.wait(wait) else self._attempt(run)
            if result is None:
                return
            results.append(result)
            if not result.failed:
                break
        last = results[-1]
        record = _record(arn, payload, last, len(results))
        self._send(_destination(config, "OnFailure" if last.failed else "OnSuccess"), record, arn)
        if last.failed and version.dead_letters:
            self._send(version.dead_letters.get("TargetArn"), payload.decode(), arn)

    def _attempt(self, run: Callable[[], Result]) -> Result | None:
        """Invoke the function, and retry while it is throttled. Return None if the emulator stops in the meantime."""
        while not self._stopping.is_set():
            try:
                return run()
            except TooManyRequestsError:
                self._stopping.wait(THROTTLED_WAIT)
        return None

    def _send(self, target: str | None, message: str, source: str) -> None:
        """Send a message to the SQS queue, SNS topic or Lambda function with the ARN `target`.

        Parameters
        ----------
        source
            ARN of the function that sends the message, for the warning about an unsupported target.
        """
        if not target:
            return
        service, region, name = target.split(":")[2], target.split(":")[3], target.split(":")[-1]
        client = self._emulator.client(service, region) if service in {"sqs", "sns", "lambda"} else None
        if client is None:
            message = f"{source}: sagelocal does not support the destination {target}: use SQS, SNS or Lambda"
            print(message, file=sys.stderr, flush=True)
        elif service == "sqs":
            client.send_message(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=message)
        elif service == "sns":
            client.publish(TopicArn=target, Message=message)
        else:
            client.invoke(FunctionName=target, InvocationType="Event", Payload=message.encode())


def _invoke_config(version: Any) -> dict[str, Any]:
    configs = version.event_invoke_config
    return dict(configs[-1].config) if configs else {}


def _destination(config: dict[str, Any], condition: str) -> str | None:
    found: str | None = ((config.get("DestinationConfig") or {}).get(condition) or {}).get("Destination")
    return found


def _record(arn: str, payload: bytes, result: Result, attempts: int) -> str:
    """Return the invocation record that AWS sends to destinations."""
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
