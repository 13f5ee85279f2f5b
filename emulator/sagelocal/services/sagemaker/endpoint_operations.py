"""The endpoint operations: CreateEndpoint, UpdateEndpoint, UpdateEndpointWeightsAndCapacities, DeleteEndpoint."""

import threading
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.patching import add, replace
from sagelocal.services.sagemaker.blue_green import Deployment
from sagelocal.services.sagemaker.endpoints import Endpoints
from sagelocal.services.sagemaker.instance_quotas import check_endpoint

IN_PROGRESS = ("Creating", "Updating", "RollingBack", "Deleting")


def install(endpoints: Endpoints) -> None:
    """Patch moto's endpoint operations, and add UpdateEndpoint."""
    _install_creation(endpoints)
    _install_update(endpoints)
    _install_weights(endpoints)
    _install_deletion(endpoints)


def _install_creation(endpoints: Endpoints) -> None:
    def create_endpoint(
        self: SageMakerModelBackend, endpoint_name: str, endpoint_config_name: str, tags: list[dict[str, str]]
    ) -> FakeEndpoint:
        if endpoint_name in self.endpoints:
            arn = self.endpoints[endpoint_name].arn
            raise ValidationError(f'Cannot create already existing endpoint "{arn}".')
        check_endpoint(endpoints.quotas, self, endpoint_config_name)
        endpoint: Any = create(self, endpoint_name, endpoint_config_name, tags)
        endpoint.endpoint_status = "Creating"
        # None until the deployment ends: AWS returns only the data capture of the active endpoint configuration
        endpoint.data_capture_config = None
        _start_deployment(endpoints, self, endpoint, endpoint_config_name, Deployment())
        return endpoint  # type: ignore[no-any-return]  # moto's FakeEndpoint

    def respond(self: SageMakerResponse) -> ActionResult:
        response: ActionResult = original_response(self)
        _store_deployment_config(self)
        return response

    create = replace(
        SageMakerModelBackend,
        "create_endpoint",
        create_endpoint,
        parameters=("endpoint_name", "endpoint_config_name", "tags"),
    )
    original_response = replace(SageMakerResponse, "create_endpoint", respond)


def _install_update(endpoints: Endpoints) -> None:
    def update_endpoint(self: SageMakerResponse) -> ActionResult:
        backend = self.sagemaker_backend
        name, config = self._get_param("EndpointName"), self._get_param("EndpointConfigName")
        backend.describe_endpoint(name)
        backend.describe_endpoint_config(config)
        endpoint: Any = backend.endpoints[name]
        variants = backend.endpoint_configs[config].production_variants
        deployment_config = self._get_param("DeploymentConfig")
        if deployment_config:
            _check_variants(endpoint, variants)
        _check_status(endpoint)
        check_endpoint(endpoints.quotas, backend, config)
        endpoint.endpoint_status = "Updating"
        endpoint.failure_reason = None
        endpoint.last_modified_time = datetime.now(UTC)
        endpoint.pending_deployment_summary = {
            "EndpointConfigName": config,
            "ProductionVariants": [{"VariantName": each["VariantName"]} for each in variants],
            "StartTime": datetime.now(UTC),
        }
        _store_deployment_config(self)
        deployment = Deployment.of(deployment_config, variants[0].get("InitialInstanceCount") or 1)
        _start_deployment(endpoints, backend, endpoint, config, deployment)
        return ActionResult({"EndpointArn": endpoint.arn})

    add(SageMakerResponse, "update_endpoint", update_endpoint)


def _install_weights(endpoints: Endpoints) -> None:
    def update_weights(
        self: SageMakerModelBackend, endpoint_name: str, desired_weights_and_capacities: list[dict[str, Any]]
    ) -> str:
        if found := self.endpoints.get(endpoint_name):
            _check_status(found)
        known = {variant["VariantName"]: variant for variant in _variants(self, endpoint_name)}
        # moto resets the weight or instance count that a request omits, so the current value is added to the request
        complete = [
            {
                "DesiredWeight": known.get(each["VariantName"], {}).get("CurrentWeight"),
                "DesiredInstanceCount": known.get(each["VariantName"], {}).get("CurrentInstanceCount"),
                **each,
            }
            for each in desired_weights_and_capacities
        ]
        arn: str = update(self, endpoint_name, complete)
        fleet = endpoints.fleet(arn)
        for variant in fleet.variants if fleet else ():
            variant.weight = next(
                (each["DesiredWeight"] for each in complete if each["VariantName"] == variant.name), variant.weight
            )
        return arn

    update = replace(
        SageMakerModelBackend,
        "update_endpoint_weights_and_capacities",
        update_weights,
        parameters=("endpoint_name", "desired_weights_and_capacities"),
    )


def _install_deletion(endpoints: Endpoints) -> None:
    def delete_endpoint(self: SageMakerModelBackend, endpoint_name: str) -> None:
        endpoint: Any = self.endpoints.get(endpoint_name)
        if endpoint is None:
            delete(self, endpoint_name)  # raises moto's error
        _check_status(endpoint)
        endpoint.endpoint_status = "Deleting"
        endpoint.last_modified_time = datetime.now(UTC)
        threading.Thread(target=remove, args=(self, endpoint), name=endpoint_name, daemon=True).start()

    def remove(backend: SageMakerModelBackend, endpoint: FakeEndpoint) -> None:
        endpoints.delete(endpoint.arn)
        delete(backend, endpoint.endpoint_name)

    delete = replace(SageMakerModelBackend, "delete_endpoint", delete_endpoint, parameters=("endpoint_name",))


def _check_status(endpoint: Any) -> None:
    """Refuse to update or delete an endpoint that is being created, updated, rolled back or deleted.

    The error message is AWS's: AWS's operator for Kubernetes expects this message from DeleteEndpoint.
    https://github.com/aws/amazon-sagemaker-operator-for-k8s
    """
    if endpoint.endpoint_status in IN_PROGRESS:
        raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')


def _variants(backend: SageMakerModelBackend, endpoint_name: str) -> list[dict[str, Any]]:
    endpoint = backend.endpoints.get(endpoint_name)
    return endpoint.production_variants if endpoint else []


def _check_variants(endpoint: Any, variants: list[dict[str, Any]]) -> None:
    """Refuse a blue/green deployment that changes the variant names.

    Source: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
    """
    old, new = [sorted(each["VariantName"] for each in side) for side in (endpoint.production_variants, variants)]
    if old != new:
        raise ValidationError(
            f"A blue/green deployment must keep the endpoint's variant names: the endpoint has {', '.join(old)}, "
            f"the new endpoint configuration has {', '.join(new)}."
        )


def _store_deployment_config(response: SageMakerResponse) -> None:
    config = response._get_param("DeploymentConfig")
    if config:
        endpoint: Any = response.sagemaker_backend.endpoints[response._get_param("EndpointName")]
        endpoint.last_deployment_config = config


def _start_deployment(
    endpoints: Endpoints,
    backend: SageMakerModelBackend,
    endpoint: FakeEndpoint,
    config_name: str,
    deployment: Deployment,
) -> None:
    threading.Thread(
        target=endpoints.deploy,
        args=(backend, endpoint, config_name, deployment),
        name=endpoint.endpoint_name,
        daemon=True,
    ).start()
