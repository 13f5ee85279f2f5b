"""Fixes of moto's tagging: moto does not find model packages, and duplicates a tag instead of changing its value."""

from typing import Any

from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import SageMakerModelBackend

from sagelocal.core.patching import replace


def install() -> None:
    """Patch moto with both fixes."""

    def find(self: SageMakerModelBackend, arn: str) -> Any:
        is_package = arn.rpartition(":")[2].startswith("model-package/")
        resource: Any = self.model_packages.get(arn) if is_package else original(self, arn)
        if resource is None:
            raise ValidationError(f"Resource {arn} does not exist.")
        resource.tags = resource.tags or []
        return resource

    def add_tags(self: SageMakerModelBackend, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        resource = self._get_resource_from_arn(arn)
        values = {tag["Key"]: tag["Value"] for tag in (*resource.tags, *tags)}
        resource.tags = [{"Key": key, "Value": value} for key, value in values.items()]
        return list(resource.tags)

    original = replace(SageMakerModelBackend, "_get_resource_from_arn", find, parameters=("arn",))
    replace(SageMakerModelBackend, "add_tags", add_tags, parameters=("arn", "tags"))
