"""SageMaker model packages: adds the operations and parameters that moto lacks, and looks up a model's container."""

import json
import re
import threading
from typing import Any

from moto.core.responses import EmptyResult
from moto.sagemaker.exceptions import AWSValidationException, ConflictException, ValidationError
from moto.sagemaker.models import ModelPackage, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.patching import add, replace
from sagelocal.services.sagemaker.errors import HostingError

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
METADATA_PATTERN = re.compile(r"[\w .:/=+@-]+")
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelPackageModelCard.html
CARD_LENGTH = 100_000
CARD_STATUS = ("Draft", "PendingReview", "Approved", "Archived")
# https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema
CARD_SECTIONS = {
    "model_overview",
    "intended_uses",
    "business_details",
    "training_details",
    "evaluation_details",
    "additional_information",
}


def container_of(backend: SageMakerModelBackend, model_name: str) -> dict[str, Any]:
    """Return the container definition of a model, such as its `Image` and `ModelDataUrl`.

    If the model refers to a model package, return the package's container definition. The model's environment
    variables override those of the package.

    Raises
    ------
    HostingError
        If the model or its model package does not exist, or if the model has several containers.
    """
    model = backend._models.get(model_name)
    if model is None:
        raise HostingError(f"Could not find model {model_name}.")
    if len(model.containers) > 1:
        raise HostingError(
            f"Model {model_name} has {len(model.containers)} containers, but the emulator does not support inference "
            "pipelines: use one container."
        )
    container: dict[str, Any] = model.primary_container or model.containers[0]
    if not container.get("ModelPackageName"):
        return container
    try:
        package = backend.describe_model_package(container["ModelPackageName"])
    except ValidationError as error:
        raise HostingError(str(error.message)) from error
    packaged: dict[str, Any] = package.inference_specification["Containers"][0]
    environment = {**(packaged.get("Environment") or {}), **(container.get("Environment") or {})}
    return {**packaged, "Environment": environment}


def install() -> None:
    """Patch moto's numbering of versions, and add the operations and parameters that moto lacks."""
    last_versions: dict[tuple[str, str, str], int] = {}  # by account, region and model package group
    _number_versions(last_versions)
    _install_groups(last_versions)
    add(SageMakerResponse, "delete_model_package", _delete_model_package)
    for name in ("create_model_package", "update_model_package"):
        _check_metadata(name)
        _store_model_card(name)
    _describe_model_card()


def _check_metadata(name: str) -> None:
    """Make an operation refuse invalid `CustomerMetadataProperties`, as AWS does; botocore and moto accept them."""

    def check(self: SageMakerResponse) -> Any:
        for key, value in (self._get_param("CustomerMetadataProperties") or {}).items():
            for text, limit in ((key, 128), (value, 256)):
                if not METADATA_PATTERN.fullmatch(text) or len(text) > limit:
                    raise AWSValidationException(
                        f"1 validation error detected: Value '{text}' at 'customerMetadataProperties' failed to "
                        f"satisfy constraint: Member must have length from 1 to {limit}, and must satisfy regular "
                        rf"expression pattern: ([\p{{L}}\p{{Z}}\p{{N}}_.:\/=+\-@]*)${{1,{limit}}}"
                    )
        return original(self)

    original = replace(SageMakerResponse, name, check)


def _store_model_card(name: str) -> None:
    """Make an operation store the model card of a model package, because moto ignores the parameter `ModelCard`.

    An update replaces only the fields of the stored card that the request contains.
    """

    def store(self: SageMakerResponse) -> Any:
        card = self._get_param("ModelCard") or {}
        _check_model_card(card)
        result = original(self)
        if card:
            package = self.sagemaker_backend.model_packages[result.result["ModelPackageArn"]]
            vars(package)["model_card"] = {**getattr(package, "model_card", {}), **card}
        return result

    original = replace(SageMakerResponse, name, store)


def _check_model_card(card: dict[str, str]) -> None:
    """Refuse a model card with an invalid status, or whose content is too long or is not a JSON object.

    Of AWS's model card schema, the emulator checks only the names of the top-level sections.
    """
    status, content = card.get("ModelCardStatus", "Draft"), card.get("ModelCardContent", "{}")
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = None
    if (
        status not in CARD_STATUS
        or len(content) > CARD_LENGTH
        or not isinstance(parsed, dict)
        or not CARD_SECTIONS.issuperset(parsed)
    ):
        raise AWSValidationException(
            f"1 validation error detected: ModelCard with status '{status}' and {len(content)} characters failed to "
            f"satisfy constraint: ModelCardStatus must be one of {', '.join(CARD_STATUS)}, and ModelCardContent a "
            f"JSON object of at most {CARD_LENGTH} characters with the sections {', '.join(sorted(CARD_SECTIONS))}"
        )


def _describe_model_card() -> None:
    """Add the stored model card to the response of DescribeModelPackage."""

    def describe(self: ModelPackage) -> dict[str, Any]:
        card = getattr(self, "model_card", None)
        return {**original(self), **({"ModelCard": card} if card else {})}

    original = replace(ModelPackage, "gen_response_object", describe)


def _number_versions(last_versions: dict[tuple[str, str, str], int]) -> None:
    """Number the versions of a model package group so that the number of a deleted version is not reused.

    moto derives the number from the count of existing versions, so it reuses numbers after a deletion.
    """
    numbering = threading.Lock()

    def create(self: ModelPackage, *, model_package_version: int | None, **given: Any) -> None:
        if model_package_version is not None:
            key = (given["account_id"], given["region_name"], given["model_package_group_name"])
            with numbering:
                model_package_version = last_versions[key] = last_versions.get(key, 0) + 1
        original(self, model_package_version=model_package_version, **given)

    original = replace(ModelPackage, "__init__", create, parameters=PACKAGE_PARAMETERS)


def _install_groups(last_versions: dict[tuple[str, str, str], int]) -> None:
    def create_model_package_group(
        self: SageMakerModelBackend,
        model_package_group_name: str,
        model_package_group_description: str,
        tags: list[dict[str, str]] | None = None,
    ) -> str:
        if model_package_group_name in self.model_package_groups:
            arn = self.model_package_groups[model_package_group_name].arn
            raise ValidationError(f"Model Package Group already exists: {arn}")
        arn = create(self, model_package_group_name, model_package_group_description, tags)
        return str(arn)

    def delete_model_package_group(self: SageMakerResponse) -> EmptyResult:
        backend = self.sagemaker_backend
        name = self._get_param("ModelPackageGroupName").rpartition("/")[2]
        group = backend.describe_model_package_group(name)
        if any(package.model_package_group_name == name for package in backend.model_packages.values()):
            raise ConflictException(
                f"Model Package Group cannot be deleted because it still contains Model Packages: {group.arn}"
            )
        del backend.model_package_groups[name]
        last_versions.pop((backend.account_id, backend.region_name, name), None)
        return EmptyResult()

    create = replace(
        SageMakerModelBackend,
        "create_model_package_group",
        create_model_package_group,
        parameters=("model_package_group_name", "model_package_group_description", "tags"),
    )
    add(SageMakerResponse, "delete_model_package_group", delete_model_package_group)


def _delete_model_package(self: SageMakerResponse) -> EmptyResult:
    backend = self.sagemaker_backend
    package = backend.describe_model_package(self._get_param("ModelPackageName"))
    backend.model_packages.pop(package.arn)
    return EmptyResult()


PACKAGE_PARAMETERS = (
    "model_package_name",
    "model_package_group_name",
    "model_package_version",
    "model_package_description",
    "inference_specification",
    "source_algorithm_specification",
    "validation_specification",
    "certify_for_marketplace",
    "model_approval_status",
    "metadata_properties",
    "model_metrics",
    "approval_description",
    "customer_metadata_properties",
    "drift_check_baselines",
    "domain",
    "task",
    "sample_payload_url",
    "additional_inference_specifications",
    "client_token",
    "region_name",
    "account_id",
    "model_package_type",
    "tags",
)
