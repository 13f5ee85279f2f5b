"""Model packages: what moto's registry lacks, and the container that a model or its package names."""

from typing import Any

from moto.core.responses import EmptyResult
from moto.sagemaker.exceptions import ConflictException, ValidationError
from moto.sagemaker.models import Model, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from emulator.replace import add


def container_of(backend: SageMakerModelBackend, model: Model) -> dict[str, Any]:
    """`Image`, `ModelDataUrl` and `Environment` of a model, from its package where it names one."""
    container: dict[str, Any] = model.primary_container or model.containers[0]
    if "ModelPackageName" not in container:
        return container
    package = backend.describe_model_package(container["ModelPackageName"])
    packaged: dict[str, Any] = package.inference_specification["Containers"][0]
    environment = {**(packaged.get("Environment") or {}), **(container.get("Environment") or {})}
    return {**packaged, "Environment": environment}


def install() -> None:
    """Add the operations that moto lacks."""
    add(SageMakerResponse, "delete_model_package", _delete_model_package)
    add(SageMakerResponse, "delete_model_package_group", _delete_model_package_group)


def _delete_model_package(self: SageMakerResponse) -> EmptyResult:
    backend = self.sagemaker_backend
    package = backend.describe_model_package(self._get_param("ModelPackageName"))
    for name, kept in list(backend.model_packages.items()):
        if kept is package:
            del backend.model_packages[name]
    return EmptyResult()


def _delete_model_package_group(self: SageMakerResponse) -> EmptyResult:
    backend = self.sagemaker_backend
    name = self._get_param("ModelPackageGroupName")
    if name not in backend.model_package_groups:
        raise ValidationError(f"Model Package Group {name} does not exist.")
    if any(package.model_package_group_name == name for package in backend.model_packages.values()):
        raise ConflictException(f"Model package group {name} cannot be deleted: it contains model packages.")
    del backend.model_package_groups[name]
    return EmptyResult()
