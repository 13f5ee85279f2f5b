"""InvokeEndpoint: the request goes to a model server, and into the endpoint's captured data."""

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
from sagelocal.services.sagemaker.capture import Captures, Exchange
from sagelocal.services.sagemaker.endpoints import LOG_GROUP, Endpoints
from sagelocal.services.sagemaker.invocations import Invocation, Invocations, Place
from sagelocal.services.sagemaker.servers import Answer, HostingError
from sagelocal.services.sagemaker.variants import RetiredError, Variant

PATH = re.compile(r"POST /endpoints/[^/]+/invocations")
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
BODY_LIMIT = 6_291_456
MESSAGE_LENGTH = 1024
PASSED_ON = ("Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")
SILENT = (
    "Your invocation timed out while waiting for a response from container {}. Review the latency metrics for each "
    "container in Amazon CloudWatch, resolve the issue, and try again."
)
SIGNED = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/")
MICRO = 1e6  # microseconds in a second, in which CloudWatch has latencies
REASONS = http.client.responses
Response = tuple[int, dict[str, str], bytes]


class _RefusedError(Exception):
    """The request reaches no model."""


@dataclass(frozen=True)
class _Request:
    """One InvokeEndpoint."""

    account: str
    region: str
    endpoint: str
    target: str | None
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers["Content-Type"]


def install(emulator: Emulator, endpoints: Endpoints, captures: Captures, invocations: Invocations) -> None:
    """Answer InvokeEndpoint."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status, headers, body = _invoke(endpoints, captures, invocations, _read(environ))
        lines = {**headers, "Content-Length": str(len(body)), "x-amzn-RequestId": str(uuid4())}
        start_response(f"{status} {REASONS[status]}", list(lines.items()))
        return [body]

    emulator.routes.append((PATH, application))


def _read(environ: Mapping[str, Any]) -> _Request:
    signed = SIGNED.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region = signed.groups() if signed else ("", os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
    variables = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in PASSED_ON}
    return _Request(
        account=get_account_id_from(access_key),
        region=region,
        endpoint=environ["PATH_INFO"].split("/")[2],
        target=environ.get("HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT"),
        headers={
            "Content-Type": environ.get("CONTENT_TYPE") or "application/octet-stream",
            **{name: environ[variable] for name, variable in variables.items() if environ.get(variable)},
        },
        # one byte more tells a body that is too long, however it is sent
        body=environ["wsgi.input"].read(BODY_LIMIT + 1),
    )


def _invoke(endpoints: Endpoints, captures: Captures, invocations: Invocations, request: _Request) -> Response:
    begun = time.perf_counter()
    if len(request.body) > BODY_LIMIT:
        return _validation_error(
            f"1 validation error detected: Value at 'body' failed to satisfy constraint: "
            f"Member must have length less than or equal to {BODY_LIMIT}"
        )
    try:
        asked = _ask(endpoints, request)
    except _RefusedError as error:
        return _validation_error(str(error))
    variant, answer = asked.variant, asked.answer
    invocations.take(Place(request.account, request.region, request.endpoint, variant), asked.invocation(begun))
    if answer.status != http.client.OK:
        return _model_error(answer, request)
    inference_id = request.headers.get("X-Amzn-SageMaker-Inference-Id")
    exchange = Exchange(request.content_type, request.body, answer.content_type, answer.body, inference_id)
    captures.take(asked.capture, exchange, region=request.region, endpoint=request.endpoint, variant=variant)
    return 200, _answer_headers(answer, variant), answer.body


@dataclass(frozen=True)
class _Asked:
    """What became of a request: who answered what, in how many seconds, and how many were asked at once."""

    capture: Mapping[str, Any]
    variant: str
    answer: Answer
    seconds: float
    concurrent: int

    def invocation(self, begun: float) -> Invocation:
        """As CloudWatch is told of it; all that was not the model's time is overhead."""
        overhead = time.perf_counter() - begun - self.seconds
        return Invocation(self.answer.status, self.seconds * MICRO, overhead * MICRO, self.concurrent)


def _ask(endpoints: Endpoints, request: _Request) -> _Asked:
    name, account = request.endpoint, request.account
    endpoint = sagemaker_backends[account][request.region].endpoints.get(name)
    while True:
        fleet = endpoints.fleet(endpoint.arn) if endpoint else None
        if fleet is None:
            raise _RefusedError(f"Endpoint {name} of account {account} not found.")
        variant = fleet.choose(request.target)
        if variant is None:
            raise _RefusedError(f"Variant {request.target} not found for endpoint {name} of account {account}.")
        begun, concurrent = time.perf_counter(), variant.busy + 1
        try:
            answer = _answer(variant, request.body, request.headers)
            return _Asked(fleet.capture, variant.name, answer, time.perf_counter() - begun, concurrent)
        except RetiredError:
            continue  # the endpoint was updated between the choice and the request


def _answer(variant: Variant, body: bytes, headers: dict[str, str]) -> Answer:
    try:
        return variant.invoke(body, headers)
    except TimeoutError:
        return Answer(0, "text/plain", SILENT.format("primary").encode())
    except HostingError as error:
        return Answer(503, "text/plain", str(error).encode())
    except (OSError, http.client.HTTPException) as error:
        return Answer(503, "text/plain", f"The model server is gone: {type(error).__name__}".encode())


def _answer_headers(answer: Answer, variant: str) -> dict[str, str]:
    headers = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant}
    if answer.custom_attributes:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = answer.custom_attributes
    return headers


def _validation_error(message: str) -> Response:
    return _error(400, "ValidationError", {"message": message})


def _model_error(answer: Answer, request: _Request) -> Response:
    region, account = request.region, request.account
    said = answer.body.decode("utf-8", "replace")[:MESSAGE_LENGTH]
    kind = "client" if 400 <= answer.status < 500 else "server"
    group = f"{LOG_GROUP}{request.endpoint}"
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
    return _error(
        424,
        "ModelError",
        {
            "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if kind == "client" else "INTERNAL_FAILURE_FROM_MODEL",
            "LogStreamArn": f"arn:aws:logs:{region}:{account}:log-group:{group}",
            "Message": f'Received {kind} error ({answer.status}) from primary with message "{said}". '
            f"See {console} in account {account} for more information.",
            "OriginalMessage": said,
            "OriginalStatusCode": answer.status,
        },
    )


def _error(status: int, code: str, body: dict[str, Any]) -> Response:
    return status, {"Content-Type": "application/json", "x-amzn-errortype": code}, json.dumps(body).encode()
