"""The live endpoint: its status, its configuration, and the model package that it serves."""

import time
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_message, is_not_found
from common.errors import OperatorError

# Of DescribeEndpoint, https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
POLL_INTERVAL = 1.0  # seconds
CHANGE_TIMEOUT = 3600.0  # seconds; a deployment, which has to end first, takes 1800 by default


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


def instance_count(name: str, *, sagemaker: Any) -> int | None:
    """Return the number of instances to which an endpoint is scaled.

    None if it does not exist, or runs without instances.
    """
    variants = (describe_endpoint(name, sagemaker=sagemaker) or {}).get("ProductionVariants") or [{}]
    count: int | None = variants[0].get("DesiredInstanceCount")
    return count


def delete_endpoint(name: str, *, sagemaker: Any) -> None:
    """Delete an endpoint and wait until it is gone; first wait for the end of its creation or update.

    SageMaker refuses to delete an endpoint that is being created or updated ("Cannot update in-progress endpoint"), and
    uses its role until it is gone. The provider takes both the refusal and the status Deleting for the end of the
    deletion: https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/sagemaker/endpoint.go

    Raises
    ------
    EndpointError
        The endpoint still exists after an hour.
    """
    deadline = time.monotonic() + CHANGE_TIMEOUT
    status = None
    while live := describe_endpoint(name, sagemaker=sagemaker):
        if live["EndpointStatus"] != status:
            status = live["EndpointStatus"]
            print(f"endpoint {name} is {status}")
        if time.monotonic() > deadline:
            raise EndpointError(
                f"endpoint {name} is still {status} after {CHANGE_TIMEOUT / 60:.0f} minutes: run the command again"
            )
        if status not in IN_PROGRESS:
            request_deletion(name, sagemaker=sagemaker)
        time.sleep(POLL_INTERVAL)


def await_endpoint(name: str, *, sagemaker: Any) -> None:
    """Wait for the end of a creation, an update or a deletion, during which SageMaker refuses an update.

    Raises
    ------
    EndpointError
        It takes longer than an hour.
    """
    deadline = time.monotonic() + CHANGE_TIMEOUT
    status = None
    while (live := describe_endpoint(name, sagemaker=sagemaker)) and live["EndpointStatus"] in IN_PROGRESS:
        if live["EndpointStatus"] != status:
            status = live["EndpointStatus"]
            print(f"waiting, because endpoint {name} is {status}")
        if time.monotonic() > deadline:
            raise EndpointError(f"endpoint {name} is still {status} after an hour: run the command again")
        time.sleep(POLL_INTERVAL)


def request_deletion(name: str, *, sagemaker: Any) -> None:
    """Start to delete an endpoint, unless its status has changed meanwhile."""
    try:
        sagemaker.delete_endpoint(EndpointName=name)
    except ClientError as error:
        if "in-progress" not in error_message(error) and not is_not_found(error):
            raise


def delete_failed_endpoint(name: str, *, sagemaker: Any) -> None:
    """Delete an endpoint whose creation failed, and wait for an endpoint that is being deleted.

    Terraform replaces a failed endpoint, which allows no other operation. Until it is gone, its name cannot be used.
    """
    live = describe_endpoint(name, sagemaker=sagemaker)
    if live and live["EndpointStatus"] in ("Failed", "Deleting"):
        if reason := live.get("FailureReason"):
            print(f"deleting endpoint {name}, which failed: {reason}")
        delete_endpoint(name, sagemaker=sagemaker)


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
