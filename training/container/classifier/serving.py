"""Serve a model: the functions `model_fn` and `transform_fn`, which AWS's PyTorch inference image calls.

A request contains either one image or a JSON body `{"instances": [{"b64": "..."}, ...]}` with PNG or JPEG images in
base64. The response to one image is a JSON list with each class's probability. The response to a JSON body is a list
that contains such a list for each image.
"""

import base64
import binascii
import json
import os
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from sagemaker_inference.errors import GenericInferenceToolkitError

from .images import FORMATS, ImageError, decode_image
from .onnx_session import open_session

JSON = "application/json"
FORMATS_BY_TYPE = {"image/png": ("PNG",), "image/jpeg": ("JPEG",), "application/x-image": FORMATS}
MAX_IMAGES = 256  # largest number of images in one request
BATCH = 16  # images for which the network runs at once; a small batch limits the memory
# SageMaker returns this header to the caller:
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
EXCLUDED = re.compile(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)", re.IGNORECASE)  # weight 0 in an Accept header
BODY_FORMAT = 'the body must be {"instances": [{"b64": "<an image in base64>"}, ...]}'


class RequestError(GenericInferenceToolkitError):  # type: ignore[misc]
    """The request is invalid. For any other exception, AWS's toolkit responds with status 500."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(int(status), message)

    def __str__(self) -> str:
        """Return the message without the status, which the base class would prepend."""
        return str(self.message)


@dataclass(frozen=True)
class Model:
    """A loaded model, and the side of its input images in pixels."""

    session: onnxruntime.InferenceSession
    size: int


def model_fn(model_dir: str) -> Model:
    """Load the model from the folder: the network in `model.onnx` and the image size in `model.json`."""
    folder = Path(model_dir)
    description = json.loads((folder / "model.json").read_text())
    session = open_session(folder / "model.onnx")
    return Model(session, description["input"]["size"])


def transform_fn(
    model: Model, body: bytes | str, content_type: str, accept: str, context: Any = None
) -> tuple[str, str]:
    """Return the response to a request.

    If the environment variable MODEL_VERSION is set, the function adds a response header with the model version.

    Parameters
    ----------
    body : image file, or JSON
    content_type, accept : headers of the request: media type of the body, and requested media type of the response
    context : the model server's request context, to which response headers are added

    Returns
    -------
    str, str
        The probabilities as JSON, and the media type of the response.

    Raises
    ------
    RequestError
        With status 415 if a media type is not supported; with status 400 if the body is not an image or a list of
        images.
    """
    if context and "MODEL_VERSION" in os.environ:
        context.set_response_header(0, CUSTOM_ATTRIBUTES, os.environ["MODEL_VERSION"])
    if not accepts_json(accept):
        raise RequestError(f"accept must be {JSON} (got {accept})", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    kind = media_type(content_type)
    if kind == JSON:
        images = [decode(each, FORMATS, model.size) for each in parse_instances(body)]
        return json.dumps(predict(model, np.stack(images))), JSON
    if kind not in FORMATS_BY_TYPE:
        supported = ", ".join([*FORMATS_BY_TYPE, JSON])
        raise RequestError(f"content type must be one of {supported} (got {kind})", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    content = body.encode() if isinstance(body, str) else bytes(body)
    return json.dumps(predict(model, decode(content, FORMATS_BY_TYPE[kind], model.size)[np.newaxis])[0]), JSON


def media_type(header: str) -> str:
    """Return the media type in a Content-Type or Accept header, without the parameters after it."""
    return header.partition(";")[0].strip().lower()


def accepts_json(header: str) -> bool:
    """Return whether an Accept header allows JSON: the most specific of its media ranges decides.

    Source: RFC 9110, section 12.5.1
    """
    ranges = {media_type(each): not EXCLUDED.search(each) for each in header.split(",") if each.strip()}
    return not ranges or next((ranges[each] for each in (JSON, "application/*", "*/*") if each in ranges), False)


def parse_instances(body: bytes | str) -> list[bytes]:
    """Return the content of each image file in a JSON body."""
    try:
        sent: Any = json.loads(body)["instances"]
        images = [base64.b64decode(each["b64"], validate=True) for each in sent]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise RequestError(f"{BODY_FORMAT} (got {type(error).__name__})") from error
    if not 1 <= len(images) <= MAX_IMAGES:
        raise RequestError(f"{BODY_FORMAT} with 1 to {MAX_IMAGES} images (got {len(images)})")
    return images


def decode(body: bytes, formats: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    """Decode an image file, or raise RequestError if the image is invalid."""
    try:
        return decode_image(body, formats, size)
    except ImageError as error:
        raise RequestError(str(error)) from error


def predict(model: Model, images: NDArray[np.uint8]) -> list[list[float]]:
    """Return each class's probability for each image, n x height x width x 3."""
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    outputs = [model.session.run(["probabilities"], {"images": batch})[0] for batch in batches]
    probabilities: list[list[float]] = np.concatenate(outputs).astype(float).tolist()
    return probabilities
