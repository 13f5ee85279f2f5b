"""Factories of runs, captured lines and images."""

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

BELOW = "THRESHOLD_CONFIDENCE_NOT_MET"


def make_execution(key: str, inferences: Sequence[float] | None, **changes: Any) -> Execution:
    """Return an execution with the outcome at a threshold of 0.93; `changes` replace fields."""
    passed = inferences is not None and max(inferences) >= 0.93
    content: dict[str, Any] = {
        "s3_key": key,
        "arn": f"arn:aws:states:us-east-1:123456789012:execution:scones-local-workflow:{key}",
        "status": "SUCCEEDED" if passed else "FAILED",
        "error": None if passed else BELOW,
        "cause": None if passed else "confidence below the threshold",
        "inferences": None if inferences is None else list(inferences),
        "seconds": 0.5,
    }
    return cast(Execution, {**content, **changes})


def make_run(executions: Sequence[Execution], **changes: Any) -> Run:
    """Return a run of the stack that `make_stack` returns; `changes` replace fields."""
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
    """Return a PNG of random pixels."""
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
    """Return a line of a capture file as SageMaker writes it; by default, the event ID depends on the other values."""
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
