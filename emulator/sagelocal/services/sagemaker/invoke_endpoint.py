"""InvokeEndpoint: passes requests to a model server, and records them for data capture and metrics."""

import http.client
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from moto.iam.models import get_account_id_from
from moto.sagemaker.models import sagemaker_backends

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.data_capture import Captures, Exchange
from sagelocal.services.sagemaker.endpoints import LOG_GROUP, Endpoints
from sagelocal.services.sagemaker.errors import HostingError
from sagelocal.services.sagemaker.invocation_metrics import Invocation, Invocations, Target
from sagelocal.services.sagemaker.model_server import ModelResponse
from sagelocal.services.sagemaker.production_variants import RetiredError, Variant

PATH = re.compile(r"POST /endpoints/[^/]+/invocations")
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
BODY_LIMIT = 6_291_456  # bytes
# https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html says 4 MB. The value assumes that a
# megabyte is 2^20 bytes, as in BODY_LIMIT.
SERVERLESS_BODY_LIMIT = 4_194_304  # bytes
MESSAGE_LENGTH = 1024  # maximum number of characters of an error's OriginalMessage
FORWARDED_HEADERS = ("Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")
TIMEOUT_MESSAGE = (
    "Your invocation timed out while waiting for a response from container {}. Review the latency metrics for each "
    "container in Amazon CloudWatch, resolve the issue, and try again."
)
CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/")
MICROSECONDS = 1e6  # microseconds per second, to convert to CloudWatch's unit of latencies
HttpResponse = tuple[int, dict[str, str], bytes]


class _RefusedError(Exception):
    """The endpoint or variant does not exist, or does not accept a body of this size."""


@dataclass(frozen=True)
class _Request:
    """The parameters of one InvokeEndpoint request."""

    id: str
    account: str
    region: str
    endpoint: str
    target_variant: str | None
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers["Content-Type"]


def install(emulator: Emulator, endpoints: Endpoints, captures: Captures, invocations: Invocations) -> None:
    """Route InvokeEndpoint requests to this module, bypassing moto's web framework."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        request = _read(environ)
        status, headers, body = _invoke(endpoints, captures, invocations, request)
        all_headers = {**headers, "Content-Length": str(len(body)), "x-amzn-RequestId": request.id}
        start_response(f"{status} {http.client.responses[status]}", list(all_headers.items()))
        return [body]

    emulator.routes.append((PATH, application))


def _read(environ: Mapping[str, Any]) -> _Request:
    credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region = credential.groups() if credential else ("", os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
    variables = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in FORWARDED_HEADERS}
    return _Request(
        id=str(uuid4()),
        account=get_account_id_from(access_key),
        region=region,
        endpoint=environ["PATH_INFO"].split("/")[2],
        target_variant=environ.get("HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT"),
        headers={
            "Content-Type": environ.get("CONTENT_TYPE") or "application/octet-stream",
            **{name: environ[variable] for name, variable in variables.items() if environ.get(variable)},
        },
        # one byte more than allowed, to detect a body that is too long
        body=environ["wsgi.input"].read(BODY_LIMIT + 1),
    )


def _invoke(endpoints: Endpoints, captures: Captures, invocations: Invocations, request: _Request) -> HttpResponse:
    start = time.perf_counter()
    if len(request.body) > BODY_LIMIT:
        return _validation_error(
            f"1 validation error detected: Value at 'body' failed to satisfy constraint: "
            f"Member must have length less than or equal to {BODY_LIMIT}"
        )
    try:
        result = _call_model(endpoints, request)
    except _RefusedError as error:
        return _validation_error(str(error))
    variant, response = result.variant, result.response
    invocations.add(Target(request.account, request.region, request.endpoint, variant), result.invocation(start))
    if response.status != http.client.OK:
        return _model_error(response, request)
    inference_id = request.headers.get("X-Amzn-SageMaker-Inference-Id")
    exchange = Exchange(request.content_type, request.body, response.content_type, response.body, inference_id)
    captures.add(result.capture, exchange, region=request.region, endpoint=request.endpoint, variant=variant)
    return 200, _response_headers(response, variant), response.body


@dataclass(frozen=True)
class _Result:
    """A model's response to one request.

    Attributes
    ----------
    capture : the endpoint's `DataCaptureConfig`
    variant : name of the variant that responded
    seconds : the model's latency
    concurrent : number of requests that the variant was processing, including this request
    """

    capture: Mapping[str, Any]
    variant: str
    response: ModelResponse
    seconds: float
    concurrent: int

    def invocation(self, start: float) -> Invocation:
        """Return the metrics of a request that started at `start`; all time outside the model is overhead."""
        overhead = time.perf_counter() - start - self.seconds
        return Invocation(self.response.status, self.seconds * MICROSECONDS, overhead * MICROSECONDS, self.concurrent)


def _call_model(endpoints: Endpoints, request: _Request) -> _Result:
    name, account = request.endpoint, request.account
    endpoint = sagemaker_backends[account][request.region].endpoints.get(name)
    while True:
        fleet = endpoints.fleet(endpoint.arn) if endpoint else None
        if fleet is None:
            raise _RefusedError(f"Endpoint {name} of account {account} not found.")
        target = request.target_variant
        variant = fleet.choose(target)
        if variant is None:
            raise _RefusedError(f"Variant {target} not found for endpoint {name} of account {account}.")
        if variant.on_demand and len(request.body) > SERVERLESS_BODY_LIMIT:
            # the message is from https://github.com/aws/sagemaker-python-sdk/issues/4271
            raise _RefusedError(f"Request {request.id} has oversize body.")
        start, concurrent = time.perf_counter(), variant.busy + 1
        try:
            response = _respond(variant, request.body, request.headers)
            return _Result(fleet.capture, variant.name, response, time.perf_counter() - start, concurrent)
        except RetiredError:
            continue  # the endpoint was updated after the variant was chosen


def _respond(variant: Variant, body: bytes, headers: dict[str, str]) -> ModelResponse:
    try:
        return variant.invoke(body, headers)
    except TimeoutError:
        return ModelResponse(0, "text/plain", TIMEOUT_MESSAGE.format("primary").encode())
    except HostingError as error:
        return ModelResponse(503, "text/plain", str(error).encode())
    except (OSError, http.client.HTTPException) as error:
        message = f"The connection to the model server failed: {type(error).__name__}"
        return ModelResponse(503, "text/plain", message.encode())


def _response_headers(response: ModelResponse, variant: str) -> dict[str, str]:
    headers = {"Content-Type": response.content_type, "x-Amzn-Invoked-Production-Variant": variant}
    if response.custom_attributes:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = response.custom_attributes
    return headers


def _validation_error(message: str) -> HttpResponse:
    return _error(400, "ValidationError", {"message": message})


def _model_error(response: ModelResponse, request: _Request) -> HttpResponse:
    region, account = request.region, request.account
    original = response.body.decode("utf-8", "replace")[:MESSAGE_LENGTH]
    kind = "client" if 400 <= response.status < 500 else "server"
    group = f"{LOG_GROUP}{request.endpoint}"
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
    return _error(
        424,
        "ModelError",
        {
            "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if kind == "client" else "INTERNAL_FAILURE_FROM_MODEL",
            "LogStreamArn": f"arn:aws:logs:{region}:{account}:log-group:{group}",
            "Message": f'Received {kind} error ({response.status}) from primary with message "{original}". '
            f"See {console} in account {account} for more information.",
            "OriginalMessage": original,
            "OriginalStatusCode": response.status,
        },
    )


def _error(status: int, code: str, body: dict[str, Any]) -> HttpResponse:
    return status, {"Content-Type": "application/json", "x-amzn-errortype": code}, json.dumps(body).encode()
