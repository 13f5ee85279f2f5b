"""Fixes of moto's responses for models, endpoint configurations and model packages.

Terraform's AWS provider and the SageMaker SDK fail if a response lacks a member, or contains an empty member that AWS
omits.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import Model, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.patching import replace

# members of an endpoint configuration that moto does not store
DROPPED_CONFIG_MEMBERS = ("ShadowProductionVariants", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")
# members of an endpoint configuration that moto returns even if they are empty
EMPTY_CONFIG_MEMBERS = ("AsyncInferenceConfig", "DataCaptureConfig", "KmsKeyId")


def install() -> None:
    """Patch moto with all fixes of this module."""
    _fix_models()
    _fix_endpoint_configs()
    _fix_model_packages()


def _fix_models() -> None:
    def response_object(self: Model) -> dict[str, Any]:
        response: dict[str, Any] = describe(self)
        if not response.get("VpcConfig"):
            response.pop("VpcConfig", None)
        return response

    def create_model(self: SageMakerResponse) -> ActionResult:
        existing = self.sagemaker_backend._models.get(self._get_param("ModelName"))
        if existing:  # moto would overwrite the existing resource
            raise ValidationError(f'Cannot create already existing model "{existing.arn}".')
        response: ActionResult = create(self)
        model = self.sagemaker_backend._models[self._get_param("ModelName")]
        model.enable_network_isolation = bool(self._get_param("EnableNetworkIsolation"))
        return response

    describe = replace(Model, "response_object", response_object)
    create = replace(SageMakerResponse, "create_model", create_model)


def _fix_endpoint_configs() -> None:
    dropped: dict[str, dict[str, Any]] = {}  # members that moto drops, by the endpoint configuration's ARN

    def create_endpoint_config(self: SageMakerResponse) -> ActionResult:
        existing = self.sagemaker_backend.endpoint_configs.get(self._get_param("EndpointConfigName"))
        if existing:  # moto would overwrite the existing resource
            arn = existing.endpoint_config_arn
            raise ValidationError(f'Cannot create already existing endpoint configuration "{arn}".')
        response: ActionResult = create(self)
        config = self.sagemaker_backend.endpoint_configs[self._get_param("EndpointConfigName")]
        given = {name: self._get_param(name) for name in DROPPED_CONFIG_MEMBERS}
        dropped[config.response_object["EndpointConfigArn"]] = {name: value for name, value in given.items() if value}
        return response

    def describe_endpoint_config(self: SageMakerResponse) -> ActionResult:
        name = self._get_param("EndpointConfigName")
        described = dict(self.sagemaker_backend.describe_endpoint_config(name))
        present = {key: value for key, value in described.items() if value or key not in EMPTY_CONFIG_MEMBERS}
        return ActionResult({**present, **dropped.get(described["EndpointConfigArn"], {})})

    create = replace(SageMakerResponse, "create_endpoint_config", create_endpoint_config)
    replace(SageMakerResponse, "describe_endpoint_config", describe_endpoint_config)


def _fix_model_packages() -> None:
    def update_model_package(
        self: SageMakerModelBackend,
        model_package_arn: str,
        model_approval_status: str | None,
        approval_description: str | None,
        customer_metadata_properties: dict[str, str] | None,
        customer_metadata_properties_to_remove: list[str],
        additional_inference_specifications_to_add: list[Any] | None,
    ) -> str:
        # moto resets every member that an update does not contain, so the current values are added to the update
        package = self.describe_model_package(model_package_arn)
        arn: str = update(
            self,
            model_package_arn,
            model_approval_status or package.model_approval_status,
            approval_description or package.approval_description,
            {**(package.customer_metadata_properties or {}), **(customer_metadata_properties or {})},
            customer_metadata_properties_to_remove,
            additional_inference_specifications_to_add,
        )
        return arn

    update = replace(
        SageMakerModelBackend,
        "update_model_package",
        update_model_package,
        parameters=(
            "model_package_arn",
            "model_approval_status",
            "approval_description",
            "customer_metadata_properties",
            "customer_metadata_properties_to_remove",
            "additional_inference_specifications_to_add",
        ),
    )
