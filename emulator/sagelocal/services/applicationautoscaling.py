"""Application Auto Scaling: the tags of scalable targets. Terraform's provider reads them, but moto lacks them."""

import json
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.tags import Tags

TARGET_EXISTS = (
    "The scalable target that you tried to tag already exists. "
    "To update tags on an existing scalable target, use the TagResource API."
)


def install(emulator: Emulator) -> None:
    """Add the tags of scalable targets, and the operations that list, add and remove tags.

    As on AWS, RegisterScalableTarget can add tags only to a new target.
    """
    tags = Tags()

    def register_scalable_target(request: Any) -> str:
        given = request._get_param("Tags") or {}
        if given and exists(request):
            raise AWSValidationException(TARGET_EXISTS)
        response: str = register(request)
        tags.put(json.loads(response)["ScalableTargetARN"], given)
        return response

    def exists(request: Any) -> bool:
        namespace, dimension = request._get_param("ServiceNamespace"), request._get_param("ScalableDimension")
        backend = request.applicationautoscaling_backend
        return bool(backend.describe_scalable_targets(namespace, [request._get_param("ResourceId")], dimension))

    def list_tags_for_resource(request: Any) -> str:
        return json.dumps({"Tags": tags.of(request._get_param("ResourceARN"))})

    def tag_resource(request: Any) -> str:
        tags.put(request._get_param("ResourceARN"), request._get_param("Tags") or {})
        return "{}"

    def untag_resource(request: Any) -> str:
        tags.remove(request._get_param("ResourceARN"), request._get_param("TagKeys") or [])
        return "{}"

    register = replace(ApplicationAutoScalingResponse, "register_scalable_target", register_scalable_target)
    for operation in (list_tags_for_resource, tag_resource, untag_resource):
        add(ApplicationAutoScalingResponse, operation.__name__, operation)
