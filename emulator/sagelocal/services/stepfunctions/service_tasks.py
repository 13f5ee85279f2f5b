"""Service calls of Task states: convert the names in parameters, responses and errors to and from botocore's names.

Step Functions spells every member in Pascal case (`ExecutionArn`, `Etag`), while botocore uses each service's own
spelling. Step Functions also converts objects to JSON text where a service expects a string.
"""

import datetime
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)

from sagelocal.core.patching import replace

# service names in aws-sdk integrations that differ from boto3's by more than hyphens
BOTO3_NAMES = {
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "costexplorer": "ce",
}
OPERATION_PARAMETERS = ("boto_service_name", "service_action_name")


def install() -> None:
    """Install the conversions for all service integrations."""
    replace(
        StateTaskService,
        "_normalise_parameters",
        normalise_parameters,
        parameters=("parameters", *OPERATION_PARAMETERS),
    )
    replace(StateTaskService, "_normalise_response", normalise_response, parameters=("response", *OPERATION_PARAMETERS))
    replace(StateTaskService, "_get_boto_service_name", client_name, parameters=("boto_service_name",))
    replace(StateTaskService, "_get_boto_service_action", method_name, parameters=("service_action_name",))
    replace(
        StateTaskServiceAwsSdk,
        "_normalise_service_error_name",
        error_prefix,
        parameters=("service_name",),
    )


@cache
def operation_model(service: str, method: str) -> OperationModel:
    """Return botocore's model of an operation, given boto3's names of the service and the method.

    Raises
    ------
    LookupError
        If the service has no such operation.
    """
    model = botocore.session.get_session().get_service_model(service)
    for name in model.operation_names:
        if xform_name(name) == method:
            return model.operation_model(name)
    raise LookupError(f"{service} has no operation {method}: see the service's API reference")


def normalise_parameters(
    self: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    """Convert a state's parameters to botocore's spelling, in place."""
    shape = _operation(self, boto_service_name, service_action_name).input_shape
    if shape is not None:
        self._to_boto_request(parameters, shape)
    if isinstance(source := parameters.get("CopySource"), str):
        parameters["CopySource"] = _decode_copy_source(source)


def normalise_response(
    self: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    """Convert a service's response to Step Functions' spelling, in place."""
    shape = _operation(self, boto_service_name, service_action_name).output_shape
    if shape is not None:
        self._from_boto_response(response, shape)
        _write_times(response, _iso if isinstance(self, StateTaskServiceAwsSdk) else _milliseconds)


def client_name(self: Any, boto_service_name: str | None = None) -> str:
    """Return boto3's name of the service in a task's resource."""
    name: str = boto_service_name or self.resource.api_name
    return BOTO3_NAMES.get(name) or _clients_by_id().get(name, name)


def method_name(self: Any, service_action_name: str | None = None) -> str:
    """Return boto3's name of the method in a task's resource."""
    action: str = service_action_name or self.resource.api_action
    return action if "_" in action else str(xform_name(action[:1].upper() + action[1:]))


@cache  # creating a session reads files, which took a sixth of the run time of a state machine that handles errors
def error_prefix(service_name: str) -> str:
    """Return a service's name in the errors of aws-sdk integrations: `S3`, `DynamoDb`, `SageMakerRuntime`."""
    client = client_name(None, service_name)
    identity = botocore.session.get_session().get_service_model(client).service_id
    return str(StateTaskService._to_sfn_cased(re.sub(r"\W", "", identity)))


def _decode_copy_source(source: str) -> str:
    """Return a URL-decoded CopySource, because boto3, unlike other SDKs, encodes this parameter itself.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    path, separator, version = source.partition("?versionId=")
    return unquote(path) + separator + version


@cache
def _clients_by_id() -> dict[str, str]:
    services = botocore.session.get_session().get_available_services()
    return {service.replace("-", ""): service for service in services}


def _operation(self: Any, service: str | None, action: str | None) -> OperationModel:
    return operation_model(self._get_boto_service_name(service), self._get_boto_service_action(action))


def _write_times(value: Any, write: Callable[[datetime.datetime], Any]) -> None:
    """Replace `datetime` objects, which JSON does not support, with the results of `write`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in list(items):
        if isinstance(member, datetime.datetime):
            value[key] = write(member)
        else:
            _write_times(member, write)


def _milliseconds(time: datetime.datetime) -> int:
    return int(time.timestamp() * 1000)


def _iso(time: datetime.datetime) -> str:
    return time.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
