"""The live endpoint: its status, its configuration, and the model package that it serves."""

import time
from typing import Any

from botocore.exceptions import ClientError

from common.aws import error_message, is_not_found
from common.errors import OperatorError

# Statuses from https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
POLL_INTERVAL = 1.0  # seconds
CHANGE_TIMEOUT = 3600.0  # seconds; includes a deployment that must end first, which takes at most 1800 by default


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


def remaining_status(name: str, *, sagemaker: Any) -> str | None:
    """Return an endpoint's status, or None if the endpoint does not exist or is being deleted."""
    live = describe_endpoint(name, sagemaker=sagemaker)
    return None if live is None or live["EndpointStatus"] == "Deleting" else str(live["EndpointStatus"])


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

    The check is needed because the Terraform provider reports success even if SageMaker rolled the update back. The
    provider never reports SageMaker's reason either (terraform-provider-aws, issues 46663 and 48997).

    Parameters
    ----------
    config : name of the expected endpoint configuration
    advice : end of the error message, which says what to do

    Raises
    ------
    EndpointMissingError
        The endpoint does not exist.
    EndpointError
        The endpoint is not in service, or serves another configuration. If it is still being created or updated, the
        error message contains no `advice`, and says to run the command again.
    """
    live = describe_endpoint(name, sagemaker=sagemaker)
    if live is None:
        raise EndpointMissingError(f"endpoint {name} does not exist: {advice}")
    status, served = live["EndpointStatus"], live.get("EndpointConfigName")
    if status in ("Creating", "Updating", "SystemUpdating"):
        raise EndpointError(f"endpoint {name} is still {status}: run the command again")
    if status != "InService" or served != config:
        reason = live.get("FailureReason", "SageMaker gives no reason")
        raise EndpointError(
            f"endpoint {name} is {status} with {served}, expected InService with {config} ({reason}): {advice}"
        )


def instance_count(name: str, *, sagemaker: Any) -> int | None:
    """Return the number of instances to which an endpoint is scaled.

    Return None if the endpoint does not exist or is serverless.
    """
    variants = (describe_endpoint(name, sagemaker=sagemaker) or {}).get("ProductionVariants") or [{}]
    count: int | None = variants[0].get("DesiredInstanceCount")
    return count


def delete_endpoint(name: str, *, sagemaker: Any) -> None:
    """Delete an endpoint, and wait until it no longer exists; first wait until no creation or update is in progress.

    SageMaker refuses to delete an endpoint that is being created or updated ("Cannot update in-progress endpoint"), and
    needs the endpoint's role until the deletion has ended. Terraform cannot delete such an endpoint, because the
    provider treats both the refusal and the status Deleting as the end of the deletion:
    https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/sagemaker/endpoint.go

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
    """Wait until an endpoint is no longer being created, updated or deleted; until then, SageMaker refuses updates.

    Raises
    ------
    EndpointError
        The creation, update or deletion has not ended after an hour.
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
    """Request the deletion of an endpoint; ignore the refusal if the endpoint is changing or no longer exists."""
    try:
        sagemaker.delete_endpoint(EndpointName=name)
    except ClientError as error:
        if "in-progress" not in error_message(error) and not is_not_found(error):
            raise


def delete_failed_endpoint(name: str, *, sagemaker: Any) -> None:
    """Delete an endpoint that has the status Failed, and wait until an endpoint that is being deleted no longer exists.

    A failed endpoint can only be deleted, so Terraform has to create a new one. The new endpoint can have the same name
    only after the deletion.
    """
    live = describe_endpoint(name, sagemaker=sagemaker)
    if live and live["EndpointStatus"] in ("Failed", "Deleting"):
        if reason := live.get("FailureReason"):
            print(f"deleting endpoint {name}, which failed: {reason}")
        delete_endpoint(name, sagemaker=sagemaker)


def deployed_model_package(endpoint: str, *, sagemaker: Any) -> str | None:
    """Return the ARN of the model package that an endpoint serves.

    Return None if the endpoint does not exist, or if its model does not come from the model registry.
    """
    # read the configuration from the endpoint, because SageMaker may have rolled back the deployment of a newer one
    live = describe_endpoint(endpoint, sagemaker=sagemaker)
    if live is None:
        return None
    config = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container = model.get("PrimaryContainer") or (model.get("Containers") or [{}])[0]
    package: str | None = container.get("ModelPackageName")
    return package
