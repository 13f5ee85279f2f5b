"""Application Auto Scaling: tags of scalable targets, and the deletion of scalable targets.

Terraform's provider reads the tags, and expects ObjectNotFoundException if it deletes what does not exist.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError
from moto.sagemaker.models import SageMakerModelBackend

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.tags import Tags

TARGET_EXISTS = (
    "The scalable target that you tried to tag already exists. "
    "To update tags on an existing scalable target, use the TagResource API."
)


class ObjectNotFoundError(JsonRESTError):
    """A scalable target or scaling policy does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__("ObjectNotFoundException", message)


def install(emulator: Emulator) -> None:
    """Patch the deletion of scalable targets, and add tags."""
    _install_tags()
    _install_deletion()


def _install_tags() -> None:
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


def _install_deletion() -> None:
    """Delete the policies of a deleted scalable target, and the scalable targets of a deleted endpoint.

    Sources: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html
    """

    def deregister_scalable_target(
        self: ApplicationAutoscalingBackend, namespace: str, r_id: str, dimension: str
    ) -> None:
        with _object_not_found():
            deregister(self, namespace, r_id, dimension)
        for policy in list(self.policies.values()):
            target = (policy.service_namespace, policy.resource_id, policy.scalable_dimension)
            if target == (namespace, r_id, dimension):
                self.delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)

    def delete_scaling_policy(
        self: ApplicationAutoscalingBackend,
        policy_name: str,
        service_namespace: str,
        resource_id: str,
        scalable_dimension: str,
    ) -> None:
        with _object_not_found():
            delete_policy(self, policy_name, service_namespace, resource_id, scalable_dimension)

    def delete_endpoint(self: SageMakerModelBackend, endpoint_name: str) -> None:
        delete(self, endpoint_name)
        scaling = applicationautoscaling_backends[self.account_id][self.region_name]
        for target in scaling.describe_scalable_targets("sagemaker", None, None):
            if target.resource_id.startswith(f"endpoint/{endpoint_name}/variant/"):
                scaling.deregister_scalable_target("sagemaker", target.resource_id, target.scalable_dimension)

    deregister = replace(
        ApplicationAutoscalingBackend,
        "deregister_scalable_target",
        deregister_scalable_target,
        parameters=("namespace", "r_id", "dimension"),
    )
    delete_policy = replace(
        ApplicationAutoscalingBackend,
        "delete_scaling_policy",
        delete_scaling_policy,
        parameters=("policy_name", "service_namespace", "resource_id", "scalable_dimension"),
    )
    delete = replace(SageMakerModelBackend, "delete_endpoint", delete_endpoint, parameters=("endpoint_name",))


@contextmanager
def _object_not_found() -> Iterator[None]:
    """Replace moto's error about a missing scalable target or scaling policy by AWS's."""
    try:
        yield
    except AWSValidationException as error:
        raise ObjectNotFoundError(error.message) from error
