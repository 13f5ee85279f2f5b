"""What moto leaves out of SageMaker's answers, or puts in, and Terraform's provider and the SDK trip over."""

from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import Model, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.patching import replace

KEPT_OF_CONFIG = ("ShadowProductionVariants", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")
EMPTY_OF_CONFIG = ("AsyncInferenceConfig", "DataCaptureConfig", "KmsKeyId")


def install() -> None:
    """Mend models, endpoint configurations and model packages."""
    _mend_models()
    _mend_endpoint_configs()
    _mend_model_packages()


def _mend_models() -> None:
    def response_object(self: Model) -> dict[str, Any]:
        answer: dict[str, Any] = described(self)
        if not answer.get("VpcConfig"):
            answer.pop("VpcConfig", None)
        return answer

    def create_model(self: SageMakerResponse) -> ActionResult:
        existing = self.sagemaker_backend._models.get(self._get_param("ModelName"))
        if existing:  # moto would put the new one in its place, here and below
            raise ValidationError(f'Cannot create already existing model "{existing.arn}".')
        answer: ActionResult = create(self)
        model = self.sagemaker_backend._models[self._get_param("ModelName")]
        model.enable_network_isolation = bool(self._get_param("EnableNetworkIsolation"))
        return answer

    described = replace(Model, "response_object", response_object)
    create = replace(SageMakerResponse, "create_model", create_model)


def _mend_endpoint_configs() -> None:
    kept: dict[str, dict[str, Any]] = {}

    def create_endpoint_config(self: SageMakerResponse) -> ActionResult:
        existing = self.sagemaker_backend.endpoint_configs.get(self._get_param("EndpointConfigName"))
        if existing:
            arn = existing.endpoint_config_arn
            raise ValidationError(f'Cannot create already existing endpoint configuration "{arn}".')
        answer: ActionResult = create(self)
        config = self.sagemaker_backend.endpoint_configs[self._get_param("EndpointConfigName")]
        given = {name: self._get_param(name) for name in KEPT_OF_CONFIG}
        kept[config.response_object["EndpointConfigArn"]] = {name: value for name, value in given.items() if value}
        return answer

    def describe_endpoint_config(self: SageMakerResponse) -> ActionResult:
        name = self._get_param("EndpointConfigName")
        described = dict(self.sagemaker_backend.describe_endpoint_config(name))
        full = {key: value for key, value in described.items() if value or key not in EMPTY_OF_CONFIG}
        return ActionResult({**full, **kept.get(described["EndpointConfigArn"], {})})

    create = replace(SageMakerResponse, "create_endpoint_config", create_endpoint_config)
    replace(SageMakerResponse, "describe_endpoint_config", describe_endpoint_config)


def _mend_model_packages() -> None:
    def update_model_package(
        self: SageMakerModelBackend,
        model_package_arn: str,
        model_approval_status: str | None,
        approval_description: str | None,
        customer_metadata_properties: dict[str, str] | None,
        customer_metadata_properties_to_remove: list[str],
        additional_inference_specifications_to_add: list[Any] | None,
    ) -> str:
        # moto forgets what an update does not name
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
