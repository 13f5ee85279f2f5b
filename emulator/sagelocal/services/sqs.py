"""SQS: redrive policies as compact JSON, as AWS returns them; Terraform's provider compares the text."""

import json
from typing import Any

from moto.sqs.models import Queue

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace

POLICIES = ("RedrivePolicy", "RedriveAllowPolicy")


def install(emulator: Emulator) -> None:
    """Return a queue's redrive policies without whitespace."""

    def attributes(queue: Any) -> dict[str, Any]:
        found: dict[str, Any] = original(queue)
        return {**found, **{name: _compact(found[name]) for name in POLICIES if found.get(name)}}

    original = replace(Queue, "attributes", attributes)


def _compact(policy: Any) -> str:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
