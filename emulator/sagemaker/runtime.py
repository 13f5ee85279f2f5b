"""InvokeEndpoint: the request goes to a model server, and into the endpoint's captured data."""

import http.client
import json
from typing import Any
from urllib.parse import unquote

from moto.sagemaker.models import sagemaker_backends
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from emulator.replace import MotoChangedError, replace
from emulator.sagemaker.capture import Captures, Exchange
from emulator.sagemaker.endpoints import LOG_GROUP, Endpoints
from emulator.sagemaker.servers import Answer, HostingError
from emulator.sagemaker.variants import RetiredError, Variant

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
BODY_LIMIT = 6_291_456
MESSAGE_LENGTH = 1024
PASSED_ON = ("Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")
SILENT = (
    "Your invocation timed out while waiting for a response from container {}. Review the latency metrics for each "
    "container in Amazon CloudWatch, resolve the issue, and try again."
)
Response = tuple[int, dict[str, Any], str | bytes]


class _RefusedError(Exception):
    """The request reaches no model."""


def install(endpoints: Endpoints, captures: Captures) -> None:
    """Put InvokeEndpoint into moto."""

    def invoke_endpoint(self: SageMakerRuntimeResponse) -> Response:
        name = unquote(self.path.split("/")[2])
        body = self.body or b""
        if len(body) > BODY_LIMIT:
            return _validation_error(
                f"1 validation error detected: Value at 'body' failed to satisfy constraint: "
                f"Member must have length less than or equal to {BODY_LIMIT}"
            )
        content_type = self.headers.get("Content-Type") or "application/octet-stream"
        headers = {key: self.headers[key] for key in PASSED_ON if self.headers.get(key)}
        try:
            capture, variant, answer = _ask(endpoints, self, name, body, {"Content-Type": content_type, **headers})
        except _RefusedError as error:
            return _validation_error(str(error))
        if answer.status != http.client.OK:
            return _model_error(answer, name, self.region, self.current_account)
        exchange = Exchange(
            content_type, body, answer.content_type, answer.body, headers.get("X-Amzn-SageMaker-Inference-Id")
        )
        captures.take(capture, exchange, region=self.region, endpoint=name, variant=variant)
        return 200, _answer_headers(answer, variant), answer.body

    replace(SageMakerRuntimeResponse, "invoke_endpoint", invoke_endpoint)
    if not hasattr(SageMakerRuntimeResponse, "use_raw_body"):
        raise MotoChangedError(SageMakerRuntimeResponse, "use_raw_body", "no longer has a setting")
    SageMakerRuntimeResponse.use_raw_body = True  # else moto takes every body for text, and an image is none


def _ask(
    endpoints: Endpoints, request: SageMakerRuntimeResponse, name: str, body: bytes, headers: dict[str, str]
) -> tuple[Any, str, Answer]:
    """Capture configuration, the variant's name, and what it answered."""
    target = request.headers.get("X-Amzn-SageMaker-Target-Variant")
    endpoint = sagemaker_backends[request.current_account][request.region].endpoints.get(name)
    while True:
        fleet = endpoints.fleet(endpoint.arn) if endpoint else None
        if fleet is None:
            raise _RefusedError(f"Endpoint {name} of account {request.current_account} not found.")
        variant = fleet.choose(target)
        if variant is None:
            raise _RefusedError(f"Variant {target} not found for endpoint {name} of account {request.current_account}.")
        try:
            return fleet.capture, variant.name, _answer(variant, body, headers)
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


def _answer_headers(answer: Answer, variant: str) -> dict[str, Any]:
    headers = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant}
    if answer.custom_attributes:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = answer.custom_attributes
    return headers


def _validation_error(message: str) -> Response:
    return _error(400, "ValidationError", {"message": message})


def _model_error(answer: Answer, endpoint: str, region: str, account: str) -> Response:
    said = answer.body.decode("utf-8", "replace")[:MESSAGE_LENGTH]
    kind = "client" if 400 <= answer.status < 500 else "server"
    group = f"{LOG_GROUP}{endpoint}"
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
    headers = {"status": status, "Content-Type": "application/json", "x-amzn-errortype": code}
    return status, headers, json.dumps(body)
