"""Application Auto Scaling: the tags of scalable targets. Terraform's provider reads them, but moto lacks them."""

import json
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.tags import Tags


def install(emulator: Emulator) -> None:
    """Add the tags of scalable targets, and the operations that list, add and remove tags."""
    tags = Tags()

    def register_scalable_target(request: Any) -> str:
        response: str = register(request)
        tags.put(json.loads(response)["ScalableTargetARN"], request._get_param("Tags") or {})
        return response

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
