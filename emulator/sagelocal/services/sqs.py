"""SQS: speeds up SendMessage for long queues, and returns redrive policies as compact JSON.

For each sent message, moto counts all messages of the queue several times. Terraform's provider compares redrive
policies as text, so it would report different whitespace as a change of the policy.
"""

import json
from contextvars import ContextVar
from typing import Any

from moto.sqs.models import Queue, SQSBackend

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace

POLICIES = ("RedrivePolicy", "RedriveAllowPolicy")
SEND_PARAMETERS = (
    *("queue_name", "message_body", "message_attributes", "delay_seconds", "deduplication_id", "group_id"),
    *("system_attributes", "validate_group_id"),
)
_sending: ContextVar[bool] = ContextVar("sending", default=False)


def install(emulator: Emulator) -> None:
    """Patch the attributes of queues and the sending of messages in moto."""

    def attributes(queue: Any) -> dict[str, Any]:
        if _sending.get():
            return _deduplication(queue)
        found: dict[str, Any] = original(queue)
        return {**found, **{name: _compact(found[name]) for name in POLICIES if found.get(name)}}

    def send_message(backend: Any, *arguments: Any, **named: Any) -> Any:
        token = _sending.set(True)
        try:
            return send(backend, *arguments, **named)
        finally:
            _sending.reset(token)

    original = replace(Queue, "attributes", attributes)
    send = replace(SQSBackend, "send_message", send_message, parameters=SEND_PARAMETERS)


def _deduplication(queue: Any) -> dict[str, Any]:
    """Return the queue's only attribute that moto reads when it sends a message: ContentBasedDeduplication.

    Return an empty dictionary if the queue is not a FIFO queue.
    """
    if not queue.fifo_queue:
        return {}
    return {"ContentBasedDeduplication": str(queue.content_based_deduplication).lower()}


def _compact(policy: Any) -> str:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
