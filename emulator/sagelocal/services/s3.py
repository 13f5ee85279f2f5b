"""S3: bucket policies with conditions, EventBridge notifications, deletion of delete markers."""

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker
from moto.s3.responses import S3Response

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace


def install(emulator: Emulator) -> None:
    """Patch moto's buckets."""
    replace(FakeBucket, "get_permission", _get_permission, parameters=("action", "resource"))
    # moto calls `dispose` on every version that it deletes, but delete markers do not have it
    add(FakeDeleteMarker, "dispose", lambda marker: None)
    _show_eventbridge()


def _get_permission(bucket: Any, action: str, resource: str) -> PermissionResult:
    """Evaluate a bucket policy without the statements that have a condition.

    moto treats every condition as met, so "deny unless TLS" would deny every request.
    """
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    document["Statement"] = [statement for statement in statements if not statement.get("Condition")]
    return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)


def _show_eventbridge() -> None:
    """Return EventBridgeConfiguration, which moto stores and applies but does not return."""

    def get_bucket_notification(request: Any) -> Any:
        configuration = request.backend.get_bucket_notification_configuration(request.bucket_name)
        if configuration is not None and configuration.event_bridge is not None:
            serialized = request.serialized
            request.serialized = lambda response: serialized(
                ActionResult({**response.result, "EventBridgeConfiguration": {}})
            )
        return original(request)

    original = replace(S3Response, "get_bucket_notification", get_bucket_notification)
