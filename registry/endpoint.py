"""The live endpoint: its status, its configuration, and the model package that it serves."""

import time
from typing import Any

from botocore.exceptions import ClientError

from common.aws import is_not_found
from common.errors import OperatorError

# Statuses of https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
CHANGE_TIMEOUT = 3600.0  # seconds; a deployment may take half an hour
POLL_SECONDS = 1.0


class EndpointError(OperatorError):
    """The endpoint does not serve the expected configuration."""


class EndpointMissingError(EndpointError):
    """The endpoint does not exist."""


def describe_endpoint(name: str, *, sagemaker: Any) -> dict[str, Any] | None:
    """Return an endpoint's description, or None if it does not exist."""
    try:
        description: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return description


def describe_endpoint_config(name: str, *, sagemaker: Any) -> dict[str, Any] | None:
    """Return an endpoint configuration's description, or None if it does not exist."""
    try:
        description: dict[str, Any] = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return description


def check_endpoint(name: str, config: str, *, advice: str, sagemaker: Any) -> None:
    """Check that an endpoint is in service with a configuration.

    The provider reports an update that SageMaker rolled back as a success, and never SageMaker's reason
    (terraform-provider-aws, issues 46663 and 48997).

    Parameters
    ----------
    config : name of the configuration
    advice : what to do otherwise, for the message

    Raises
    ------
    EndpointMissingError
        The endpoint does not exist.
    EndpointError
        The endpoint is not in service, or serves another configuration.
    """
    live = describe_endpoint(name, sagemaker=sagemaker)
    if live is None:
        raise EndpointMissingError(f"endpoint {name} does not exist: {advice}")
    status, served = live["EndpointStatus"], live.get("EndpointConfigName")
    if status != "InService" or served != config:
        reason = live.get("FailureReason", "SageMaker gives no reason")
        raise EndpointError(
            f"endpoint {name} is {status} with {served}, expected InService with {config} ({reason}): {advice}"
        )


def await_endpoint(name: str, *, sagemaker: Any) -> None:
    """Wait for the end of a creation or an update, during which SageMaker refuses another update.

    Raises
    ------
    EndpointError
        It takes longer than an hour.
    """
    deadline = time.monotonic() + CHANGE_TIMEOUT
    status = None
    while (live := describe_endpoint(name, sagemaker=sagemaker)) and live["EndpointStatus"] in CHANGING:
        if live["EndpointStatus"] != status:
            status = live["EndpointStatus"]
            print(f"waiting, because endpoint {name} is {status}")
        if time.monotonic() > deadline:
            raise EndpointError(f"endpoint {name} is still {status} after an hour: run the command again")
        time.sleep(POLL_SECONDS)


def deployed_model_package(endpoint: str, *, sagemaker: Any) -> str | None:
    """Return the ARN of the model package that the endpoint serves.

    None if there is no endpoint, or its model is not from the model registry.
    """
    # the live configuration, not the planned one: SageMaker may have rolled back the deployment
    live = describe_endpoint(endpoint, sagemaker=sagemaker)
    if live is None:
        return None
    config = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container = model.get("PrimaryContainer") or (model.get("Containers") or [{}])[0]
    package: str | None = container.get("ModelPackageName")
    return package
