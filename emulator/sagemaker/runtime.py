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
from emulator.sagemaker.servers import Answer

ATTEMPTS = 2  # a server that died under a request is asked again once it is back
MESSAGE_LENGTH = 1024
Response = tuple[int, dict[str, Any], str | bytes]


def install(endpoints: Endpoints, captures: Captures) -> None:
    """Put InvokeEndpoint into moto."""

    def invoke_endpoint(self: SageMakerRuntimeResponse) -> Response:
        name = unquote(self.path.split("/")[2])
        endpoint = sagemaker_backends[self.current_account][self.region].endpoints.get(name)
        fleet = endpoints.fleet(endpoint.arn) if endpoint else None
        if fleet is None:
            return _validation_error(f"Endpoint {name} of account {self.current_account} not found.")
        target = self.headers.get("X-Amzn-SageMaker-Target-Variant")
        variant = fleet.choose(target)
        if variant is None:
            return _validation_error(f"Variant {target} of endpoint {name} not found.")
        body = self.body or b""
        content_type = self.headers.get("Content-Type") or "application/octet-stream"
        answer = _ask(variant, body, _headers(self.headers, content_type))
        if answer.status != http.client.OK:
            return _model_error(answer, variant.name, f"{LOG_GROUP}{name}")
        inference_id = self.headers.get("X-Amzn-SageMaker-Inference-Id")
        exchange = Exchange(content_type, body, answer.content_type, answer.body, inference_id)
        captures.take(fleet.capture, exchange, region=self.region, endpoint=name, variant=variant.name)
        headers = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant.name}
        if answer.custom_attributes:
            headers["X-Amzn-SageMaker-Custom-Attributes"] = answer.custom_attributes
        return 200, headers, answer.body

    replace(SageMakerRuntimeResponse, "invoke_endpoint", invoke_endpoint)
    if not hasattr(SageMakerRuntimeResponse, "use_raw_body"):
        raise MotoChangedError(SageMakerRuntimeResponse, "use_raw_body", "no longer has a setting")
    SageMakerRuntimeResponse.use_raw_body = True  # else moto takes every body for text, and an image is none


def _ask(variant: Any, body: bytes, headers: dict[str, str]) -> Answer:
    for attempt in range(ATTEMPTS):
        try:
            answer: Answer = variant.invoke(body, headers)
            return answer
        except TimeoutError:
            return Answer(504, "text/plain", b"Your invocation timed out while waiting for the model.")
        except (OSError, http.client.HTTPException) as error:
            failure = f"The model server is gone: {type(error).__name__}"
            if attempt + 1 < ATTEMPTS:
                variant.revive()
    return Answer(503, "text/plain", failure.encode())


def _headers(headers: Any, content_type: str) -> dict[str, str]:
    passed = ("Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")
    return {"Content-Type": content_type, **{name: headers[name] for name in passed if headers.get(name)}}


def _validation_error(message: str) -> Response:
    return _error(400, "ValidationError", {"message": message})


def _model_error(answer: Answer, variant: str, log_group: str) -> Response:
    """As AWS words it: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html."""
    said = answer.body.decode("utf-8", "replace")[:MESSAGE_LENGTH]
    kind, code = ("client", "CLIENT_ERROR_FROM_MODEL") if answer.status < 500 else ("server", "INTERNAL_FAILURE")
    return _error(
        424,
        "ModelError",
        {
            "ErrorCode": code,
            "LogStreamArn": log_group,
            "Message": f'Received {kind} error ({answer.status}) from primary with message "{said}". '
            f"See {log_group} in CloudWatch for more information.",
            "OriginalMessage": said,
            "OriginalStatusCode": answer.status,
        },
    )


def _error(status: int, code: str, body: dict[str, Any]) -> Response:
    headers = {"status": status, "Content-Type": "application/json", "x-amzn-errortype": code}
    return status, headers, json.dumps(body)
