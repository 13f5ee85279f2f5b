"""SQS event sources: threads that poll a queue and invoke a function with batches of its messages.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import base64
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from moto.awslambda import models
from moto.awslambda.exceptions import GenericResourcNotFound
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.utils import get_backend
from moto.events.models import EventPattern
from moto.sqs.constants import MAXIMUM_MESSAGE_LENGTH
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import sqs_backends

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.awslambda.errors import TooManyRequestsError
from sagelocal.services.awslambda.function import Result

RECEIVE_SECONDS = 1  # longest wait for a message, after which a poller checks whether its mapping exists and is enabled
THROTTLED_WAIT = 0.5  # seconds before a throttled batch is retried
CONCURRENT_BATCHES = 5  # Lambda also starts with five, but then increases the number
MAX_BATCH_BYTES = 6_000_000  # less than Lambda's limit on an event, so that the messages' metadata also fit

Run = Callable[[Any, bytes], Result]


def install(emulator: Emulator, run: Run) -> None:
    """Poll the SQS queue of each event source mapping.

    This replaces moto's behavior: moto invokes the functions while it handles SendMessage.

    Parameters
    ----------
    run
        Callable that invokes the function of a mapping with an event (JSON) and returns the result.
    """
    stopping = threading.Event()
    emulator.on_stop(stopping.set)

    def create(backend: Any, spec: dict[str, Any]) -> Any:
        mapping = original(backend, spec)
        if _is_queue(mapping):
            _queue(mapping).lambda_event_source_mappings.clear()  # so that moto does not invoke the function itself
            poller = Poller(mapping, run, stopping)
            threading.Thread(target=poller.poll, daemon=True).start()
        return mapping

    for operation in ("get", "update", "delete"):
        _refuse_unknown(f"{operation}_event_source_mapping")
    original = replace(models.LambdaBackend, "create_event_source_mapping", create, parameters=("spec",))


def _refuse_unknown(operation: str) -> None:
    """Make an operation fail with ResourceNotFoundException if no event source mapping has the requested id."""

    def respond(request: Any) -> Any:
        if request.backend.get_event_source_mapping(request.path.split("/")[-1]) is None:
            raise GenericResourcNotFound
        return original(request)

    original = replace(LambdaResponse, operation, respond)


class Poller:
    """Polls the queue of one event source mapping until the mapping is deleted."""

    def __init__(self, mapping: Any, run: Run, stopping: threading.Event) -> None:
        self._mapping = mapping
        self._run = run
        self._stopping = stopping
        scaling = (mapping.scaling_config or {}).get("MaximumConcurrency", CONCURRENT_BATCHES)
        # process one batch at a time if the queue is a FIFO queue, to keep the order of the messages
        concurrency = 1 if mapping.event_source_arn.endswith(".fifo") else min(scaling, CONCURRENT_BATCHES)
        self._slots = threading.BoundedSemaphore(concurrency)

    def poll(self) -> None:
        """Receive batches of messages, and process each batch in a thread."""
        backend = get_backend(self._mapping.account_id, self._mapping.region)
        while not self._stopping.is_set() and backend.get_event_source_mapping(self._mapping.uuid):
            if not self._mapping.enabled or _queue(self._mapping) is None:
                self._stopping.wait(RECEIVE_SECONDS)
                continue
            messages = self._receive_batch()
            if messages:
                self._slots.acquire()
                threading.Thread(target=self._process, args=(messages,), daemon=True).start()

    def _receive_batch(self) -> list[Any]:
        """Receive messages until the batch is full, or the batching window has passed and the queue is empty."""
        with self._slots:  # do not receive a message until a thread can process it
            messages = self._receive(self._capacity([]), RECEIVE_SECONDS)
        deadline = time.monotonic() + (self._mapping.max_batch_window or 0)
        while messages and (count := self._capacity(messages)):
            is_window_open = time.monotonic() < deadline
            found = self._receive(count, RECEIVE_SECONDS if is_window_open else 0)
            if not (found or is_window_open):
                break
            messages += found
        return messages

    def _capacity(self, messages: list[Any]) -> int:
        """Return how many more messages of the maximum size fit into a batch that contains `messages`."""
        free_bytes = MAX_BATCH_BYTES - sum(len(message.body.encode()) for message in messages)
        return max(min(int(self._mapping.batch_size) - len(messages), free_bytes // MAXIMUM_MESSAGE_LENGTH), 0)

    def _receive(self, count: int, wait: int) -> list[Any]:
        """Receive at most `count` messages, but not more than SQS's limit of ten.

        Parameters
        ----------
        wait
            Longest wait for the first message in seconds.
        """
        queue = _queue(self._mapping)
        if queue is None:
            return []
        backend, timeout = _sqs(self._mapping), int(queue.visibility_timeout)
        try:
            return list(backend.receive_message(queue.name, min(count, 10), wait, timeout, ["All"]))
        except QueueDoesNotExist:  # the queue was deleted in the meantime
            return []

    def _process(self, messages: list[Any]) -> None:
        """Invoke the function with the messages that match the filters.

        Messages that the function has processed, and those that match no filter, are deleted from the queue. Failed
        messages become visible again after the queue's visibility timeout, and the queue's redrive policy applies.
        """
        try:
            records = {message.id: self._record(message) for message in messages}
            filters = (self._mapping.filter_criteria or {}).get("Filters") or []
            patterns = [EventPattern.load(one["Pattern"]) for one in filters]
            accepted = {key: one for key, one in records.items() if matches(one, patterns)}
            failed = self._invoke(accepted) if accepted else set()
            for message in messages:
                if message.id not in failed:
                    _sqs(self._mapping).delete_message(_queue(self._mapping).name, message.receipt_handle)
        except Exception:
            traceback.print_exc(file=sys.stderr)
        finally:
            self._slots.release()

    def _invoke(self, records: dict[str, Any]) -> set[str]:
        """Invoke the function and return the ids of the failed messages."""
        event = json.dumps({"Records": list(records.values())}).encode()
        deadline = time.monotonic() + int(_queue(self._mapping).visibility_timeout)
        while not self._stopping.is_set() and time.monotonic() < deadline:
            try:
                result = self._run(self._mapping, event)
            except TooManyRequestsError:
                self._stopping.wait(THROTTLED_WAIT)
                continue
            reports = "ReportBatchItemFailures" in (self._mapping.function_response_types or [])
            return failures(result, set(records), reports=reports)
        return set(records)

    def _record(self, message: Any) -> dict[str, Any]:
        attributes = {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
            "MessageGroupId": message.group_id,
            "MessageDeduplicationId": message.deduplication_id,
            "SequenceNumber": message.sequence_number,
        }
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": {name: value for name, value in attributes.items() if value is not None},
            "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
            "md5OfBody": message.body_md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": self._mapping.event_source_arn,
            "awsRegion": self._mapping.region,
        }


def failures(result: Result, ids: set[str], *, reports: bool) -> set[str]:
    """Return the ids of the messages that a function has not processed.

    Parameters
    ----------
    ids
        IDs of the messages in the batch. All are returned if the function has failed or its report is invalid.
    reports
        Whether the function reports failed messages in its response (`ReportBatchItemFailures`).
    """
    if result.failed or not reports:
        return ids if result.failed else set()
    response = json.loads(result.payload)
    try:
        reported = {item["itemIdentifier"] for item in (response or {}).get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return ids
    return reported if reported <= ids else ids


def matches(record: dict[str, Any], patterns: list[Any]) -> bool:
    """Return whether a message matches at least one filter pattern. Without patterns, every message matches.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
    """
    try:
        body = json.loads(record["body"])
    except ValueError:
        body = record["body"]
    event = {**record, "body": body if isinstance(body, dict) else record["body"]}
    return not patterns or any(pattern.matches_event(event) for pattern in patterns)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    kind = value["DataType"]
    if kind.startswith("Binary"):
        binary = value["BinaryValue"]
        text = binary if isinstance(binary, str) else base64.b64encode(binary).decode()
        content = {"binaryValue": text}
    else:
        content = {"stringValue": value["StringValue"]}
    return {**content, "stringListValues": [], "binaryListValues": [], "dataType": kind}


def _is_queue(mapping: Any) -> bool:
    return str(mapping.event_source_arn).split(":")[2] == "sqs"


def _sqs(mapping: Any) -> Any:
    return sqs_backends[mapping.account_id][mapping.region]


def _queue(mapping: Any) -> Any:
    """Return the queue of a mapping, or None if it has been deleted."""
    return _sqs(mapping).queues.get(mapping.event_source_arn.split(":")[-1])
