"""The model server's code: `model_fn` and `transform_fn`, which AWS's PyTorch inference image asks for.

One image comes in as it is, and a JSON list with a probability for each class goes out; or several come in as
`{"instances": [{"b64": "..."}, ...]}`, each a PNG or JPEG in base64, and a list of such lists goes out.
"""

import base64
import binascii
import json
import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pictures import ImageError, picture
from sagemaker_inference.errors import GenericInferenceToolkitError

JSON = "application/json"
FORMATS = {"image/png": ("PNG",), "image/jpeg": ("JPEG",), "application/x-image": ("PNG", "JPEG")}
MAX_IMAGES = 256  # in one request
AT_ONCE = 16  # of which the network is asked: what it holds meanwhile grows with them
# passed on to the caller: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


class RequestError(GenericInferenceToolkitError):  # type: ignore[misc]
    """The client's error. Whatever else is raised here, AWS's toolkit answers with 500."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(int(status), message)

    def __str__(self) -> str:
        """The reason alone."""
        return str(self.message)


@dataclass(frozen=True)
class Model:
    """A loaded model, and the side of its images in pixels."""

    session: onnxruntime.InferenceSession
    size: int


def model_fn(model_dir: str) -> Model:
    """Load `model.onnx`, described by `model.json`."""
    folder = Path(model_dir)
    description = json.loads((folder / "model.json").read_text())
    options = onnxruntime.SessionOptions()
    # one thread a request: requests come side by side, and threads that wait by spinning would starve them
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return Model(session, description["input"]["size"])


def transform_fn(
    model: Model, body: bytes | str, content_type: str, accept: str, context: Any = None
) -> tuple[str, str]:
    """Answer one request, and say which version of the model does, where the endpoint's environment tells it.

    Parameters
    ----------
    body : an image's bytes, or JSON's text
    content_type, accept : media types of the body and of the answer
    context : the model server's, which takes the answer's headers; none needs to be there

    Returns
    -------
    str, str
        The probabilities as JSON, and the media type.

    Raises
    ------
    RequestError
        With status 415: another type is sent or asked for. With 400: the body is no image, or no list of images.
    """
    if context and "MODEL_VERSION" in os.environ:
        context.set_response_header(0, ATTRIBUTES, os.environ["MODEL_VERSION"])
    if media_type(accept) not in (JSON, "*/*", "application/*"):
        raise RequestError(f"answers are {JSON}, not {accept}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    kind = media_type(content_type)
    if kind == JSON:
        images = [pixels(each, FORMATS["application/x-image"], model.size) for each in instances(body)]
        return json.dumps(probabilities(model, np.stack(images))), JSON
    if kind not in FORMATS:
        served = ", ".join([*FORMATS, JSON])
        raise RequestError(f"content type {kind} is not served: send {served}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    content = body.encode() if isinstance(body, str) else bytes(body)
    return json.dumps(probabilities(model, pixels(content, FORMATS[kind], model.size)[np.newaxis])[0]), JSON


def media_type(header: str) -> str:
    """A header's media type, without its parameters."""
    return header.partition(";")[0].strip().lower()


def instances(body: bytes | str) -> list[bytes]:
    """The images of a JSON body."""
    form = 'the body must be {"instances": [{"b64": "<an image in base64>"}, ...]}'
    try:
        sent: Any = json.loads(body)["instances"]
        images = [base64.b64decode(each["b64"], validate=True) for each in sent]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise RequestError(f"{form}, and it is not: {type(error).__name__}") from error
    if not 1 <= len(images) <= MAX_IMAGES:
        raise RequestError(f"{form}, with 1 to {MAX_IMAGES} images, and it has {len(images)}")
    return images


def pixels(body: bytes, formats: tuple[str, ...], size: int) -> NDArray[np.uint8]:
    """An image for the network; what cannot be one is the client's error."""
    try:
        image: NDArray[np.uint8] = picture(body, formats, size)
    except ImageError as error:
        raise RequestError(str(error)) from error
    return image


def probabilities(model: Model, images: NDArray[np.uint8]) -> list[list[float]]:
    """Each class's probability for each image, n x height x width x 3."""
    parts = (images[start : start + AT_ONCE] for start in range(0, len(images), AT_ONCE))
    answers = [model.session.run(None, {"images": part})[0] for part in parts]
    rows: list[list[float]] = np.concatenate(answers).astype(float).tolist()
    return rows
