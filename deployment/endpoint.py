"""Compare the live endpoint with the planned one."""

from typing import Any

from botocore.exceptions import ClientError

from common.aws import is_not_found
from common.errors import OperatorError


class EndpointError(OperatorError):
    """The endpoint does not serve the planned configuration."""


class EndpointMissingError(OperatorError):
    """The endpoint does not exist."""


def check_endpoint(name: str, config: str, *, sagemaker: Any) -> None:
    """Check that an endpoint is in service with the planned configuration.

    The provider reports an update that SageMaker rolled back as a success, and never SageMaker's reason
    (terraform-provider-aws, issues 46663 and 48997).

    Raises
    ------
    EndpointError
        It serves another configuration, or is not in service.
    EndpointMissingError
        It does not exist.
    """
    try:
        live = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if is_not_found(error):
            raise EndpointMissingError(f"endpoint {name} does not exist") from error
        raise
    status, served = live["EndpointStatus"], live.get("EndpointConfigName")
    if status != "InService" or served != config:
        reason = live.get("FailureReason", "SageMaker gives no reason")
        raise EndpointError(f"endpoint {name} is {status} with {served}, expected InService with {config} ({reason})")
