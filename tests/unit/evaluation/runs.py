"""Factories of the results of `make run`, of lines of capture files, and of images."""

import base64
import io
import json
import uuid
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from PIL import Image

from evaluation.executions import Execution, Run
from tests.unit.stacks import make_stack

BELOW = "THRESHOLD_CONFIDENCE_NOT_MET"  # error of an execution whose confidence is below the threshold


def make_execution(key: str, inferences: Sequence[float] | None, **changes: Any) -> Execution:
    """Return the result of an execution of a state machine with a threshold of 0.93; `changes` replace fields.

    Parameters
    ----------
    key : key of the image
    inferences : class probabilities, or None if the execution failed because the endpoint was unavailable
    """
    passed = inferences is not None and max(inferences) >= 0.93
    content: dict[str, Any] = {
        "s3_key": key,
        "arn": f"arn:aws:states:us-east-1:123456789012:execution:scones-local-workflow:{key}",
        "status": "SUCCEEDED" if passed else "FAILED",
        "error": None if passed else "EndpointUnavailableError" if inferences is None else BELOW,
        "cause": None if passed else "the endpoint is unavailable" if inferences is None else "0.6 is below 0.93",
        "inferences": None if inferences is None else list(inferences),
        "seconds": 0.5,
    }
    return cast(Execution, {**content, **changes})


def make_run(executions: Sequence[Execution], **changes: Any) -> Run:
    """Return the results of `make run` for the stack that `make_stack` returns; `changes` replace fields."""
    stack = make_stack()
    content: dict[str, Any] = {
        "source": "CIFAR-100 (cifar-100-python.tar.gz, md5 eb9058c3a382ffc7106e4002c42a8d85)",
        "synthetic": False,
        "images": "0123abcd",
        "state_machine_arn": stack.state_machine_arn,
        "endpoint": stack.endpoint_name,
        "endpoint_config": stack.endpoint_config_name,
        "model_package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-local-vehicles/1",
        "threshold": stack.threshold,
        "classes": list(stack.classes),
        "started": "2026-03-01T12:00:00.400000+00:00",
        "finished": "2026-03-01T12:00:30+00:00",
        "executions": list(executions),
    }
    return cast(Run, {**content, **changes})


def make_png(seed: int = 0, *, size: tuple[int, int] = (32, 32)) -> bytes:
    """Return a PNG file of random pixels; `size` is width and height in pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(*size[::-1], 3), dtype=np.uint8)
    with io.BytesIO() as stream:
        Image.fromarray(pixels).save(stream, format="PNG")
        return stream.getvalue()


def capture_line(
    image: bytes,
    probabilities: Sequence[float],
    *,
    time: str = "2026-03-01T12:00:00Z",
    event_id: str | None = None,
    inference_id: str | None = None,
    encoding: str = "JSON",
) -> bytes:
    """Return a line of a capture file as SageMaker writes it.

    Parameters
    ----------
    image : content of the image file in the request
    probabilities : class probabilities in the response
    time : time of the inference
    event_id : ID of the event; by default, it depends on the image, the probabilities and the time
    inference_id : ID that the caller sent with the request, or None if there is none
    encoding : encoding of the captured response: `JSON` or `BASE64`
    """
    text = json.dumps(list(probabilities))
    data = base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text
    record = {
        "captureData": {
            "endpointInput": {
                "observedContentType": "image/png",
                "mode": "INPUT",
                "data": base64.b64encode(image).decode(),
                "encoding": "BASE64",
            },
            "endpointOutput": {
                "observedContentType": "application/json",
                "mode": "OUTPUT",
                "data": data,
                "encoding": encoding,
            },
        },
        "eventMetadata": {
            "eventId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, repr((image, probabilities, time)))),
            **({"inferenceId": inference_id} if inference_id else {}),
            "inferenceTime": time,
        },
        "eventVersion": "0",
    }
    return json.dumps(record).encode()
