"""S3: bucket policies with conditions, notifications to EventBridge, deletion of delete markers."""

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker
from moto.s3.responses import S3Response

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace


def install(emulator: Emulator) -> None:
    """Mend moto's buckets."""
    replace(FakeBucket, "get_permission", _get_permission, parameters=("action", "resource"))
    # moto disposes of every version that it deletes, and a delete marker is one that it cannot dispose of
    add(FakeDeleteMarker, "dispose", lambda marker: None)
    _show_eventbridge()


def _get_permission(bucket: Any, action: str, resource: str) -> PermissionResult:
    """Moto does not evaluate conditions and takes each as met, so that "deny unless TLS" would deny all.

    Statements with conditions are left out: they neither allow nor deny here.
    """
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    document["Statement"] = [statement for statement in statements if not statement.get("Condition")]
    return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)


def _show_eventbridge() -> None:
    """Moto stores EventBridgeConfiguration and honours it, but does not return it."""

    def get_bucket_notification(request: Any) -> Any:
        kept = request.backend.get_bucket_notification_configuration(request.bucket_name)
        if kept is not None and kept.event_bridge is not None:
            serialized = request.serialized
            request.serialized = lambda answer: serialized(
                ActionResult({**answer.result, "EventBridgeConfiguration": {}})
            )
        return original(request)

    original = replace(S3Response, "get_bucket_notification", get_bucket_notification)
