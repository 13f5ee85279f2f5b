"""Recognition of the API operation that a request calls."""

from typing import Any

import pytest

from sagelocal.core.routing import api_call


def request(service: str, method: str = "POST", path: str = "/", query: str = "", **more: str) -> dict[str, Any]:
    """Return the WSGI environment of a request to a service."""
    authorization = f"AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/{service}/aws4_request, Signature=x"
    return {
        "HTTP_AUTHORIZATION": authorization,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        **more,
    }


@pytest.mark.parametrize(
    ("environ", "form", "expected"),
    [
        (request("sagemaker", HTTP_X_AMZ_TARGET="SageMaker.CreateHub"), "", "sagemaker:CreateHub"),
        (request("states", HTTP_X_AMZ_TARGET="AWSStepFunctions.TestState"), "", "stepfunctions:TestState"),
        (request("iam"), "Action=GetOrganizationsAccessReport&Version=1", "iam:GetOrganizationsAccessReport"),
        (request("ec2"), "Action=DescribeVpcs&Version=2016-11-15", "ec2:DescribeVpcs"),
        (request("sqs", "GET", query="Action=ListQueues"), "", "sqs:ListQueues"),
        (request("monitoring", path="/service/X/operation/PutMetricData"), "", "cloudwatch:PutMetricData"),
        (request("lambda", "GET", "/2015-03-31/functions/f/versions"), "", "lambda:ListVersionsByFunction"),
        (request("lambda", "GET", "/2015-03-31/functions/"), "", "lambda:ListFunctions"),
        (request("s3", "GET", "/bucket", "accelerate"), "", "s3:GetBucketAccelerateConfiguration"),
        (request("s3", "GET", "/bucket/a/b"), "", "s3:GetObject"),
        (request("sagemaker", path="/endpoints/a/async-invocations"), "", "sagemaker-runtime:InvokeEndpointAsync"),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else "",
)
def test_operation_is_recognized_in_every_protocol(environ: dict[str, Any], form: str, expected: str) -> None:
    # WHEN / THEN
    assert str(api_call(environ, form)) == expected


def test_request_to_an_unknown_service_is_named_by_its_method_and_path() -> None:
    # WHEN / THEN
    assert str(api_call(request("nothing", "GET", "/a"), "")) == "nothing:GET /a"
