"""Both state machines retry each error of Lambda that a later attempt may not have."""

import re

import boto3
import pytest

from common.paths import TERRAFORM_DIRECTORY

ERROR = re.compile(r'"([A-Za-z0-9]+Exception)"')

# Server errors of Invoke that only a person can correct
PERMANENT = {
    "EC2AccessDeniedException",
    "ENILimitReachedException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "SubnetIPAddressLimitReachedException",
}
# Client errors of Invoke that end by themselves: throttling, and a function in the state Pending
TRANSIENT_CLIENT_ERRORS = {"ResourceConflictException", "TooManyRequestsException"}
# Errors of Step Functions' own Lambda client:
# https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
CLIENT_FAILURES = {"AWSLambdaException", "SdkClientException"}


@pytest.mark.parametrize("module", ["state_machine_definition", "batch_definition"])
def test_transient_errors_of_invoke_are_retried(module: str) -> None:
    # GIVEN the server errors in boto3's model of Invoke
    model = boto3.client("lambda", region_name="us-east-1").meta.service_model.operation_model("Invoke")
    server_errors = {shape.name for shape in model.error_shapes if shape.metadata["error"]["httpStatusCode"] >= 500}
    assert server_errors > PERMANENT

    # WHEN
    retried = set(ERROR.findall((TERRAFORM_DIRECTORY / "modules" / module / "main.tf").read_text()))

    # THEN
    assert retried == server_errors - PERMANENT | TRANSIENT_CLIENT_ERRORS | CLIENT_FAILURES
