"""The model server's code: the four functions that AWS's PyTorch inference image asks for.

An image comes in, a JSON list with a probability for each class goes out.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

FORMATS = {"image/png": ("PNG",), "image/jpeg": ("JPEG",), "application/x-image": ("PNG", "JPEG")}
ANSWER = "application/json"
MAX_BYTES = 5 * 2**20
MAX_PIXELS = 4096 * 4096


class ImageError(ValueError):
    """The body is no image that can be classified."""

    status_code = 400


class ContentTypeError(ValueError):
    """The body's type is none that is served, or the answer's is not."""

    status_code = 415


@dataclass(frozen=True)
class Model:
    """A loaded model, and the size of image that it was trained on."""

    session: onnxruntime.InferenceSession
    width: int
    height: int


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
    return Model(session, description["input"]["width"], description["input"]["height"])


def input_fn(body: bytes, content_type: str) -> Image.Image:
    """Decode an image, once its size and form are allowed.

    Raises
    ------
    ContentTypeError
        It says that it is something else than a PNG or a JPEG.
    ImageError
        It is empty, too large, or cannot be decoded.
    """
    formats = FORMATS.get(content_type.partition(";")[0].strip().lower())
    if formats is None:
        raise ContentTypeError(f"content type {content_type} is not served: send {', '.join(FORMATS)}")
    if not body:
        raise ImageError("the body is empty: send an image")
    if len(body) > MAX_BYTES:
        raise ImageError(f"the image has {len(body)} bytes, and {MAX_BYTES} are allowed")
    try:
        return decode(body, formats)
    except ImageError:
        raise
    # Pillow says ValueError for a header that is cut short and for text that unpacks to too much
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"the body is no image of type {content_type} that can be decoded: {error}") from error


def decode(body: bytes, formats: tuple[str, ...]) -> Image.Image:
    """The image as RGB; its pixels are counted before they are unpacked."""
    image = Image.open(io.BytesIO(body), formats=formats)
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"the image has {image.width} x {image.height} pixels, and {MAX_PIXELS} are allowed")
    return image.convert("RGB")


def predict_fn(image: Image.Image, model: Model) -> NDArray[np.float32]:
    """Probabilities, one a class; an image of another size than the training's is brought to it first."""
    if image.size != (model.width, model.height):
        image = image.resize((model.width, model.height), Image.Resampling.BICUBIC)
    (probabilities,) = model.session.run(None, {"images": np.asarray(image)[np.newaxis]})
    first: NDArray[np.float32] = probabilities[0]
    return first


def output_fn(probabilities: NDArray[np.float32], accept: str) -> tuple[str, str]:
    """A JSON list, and its content type.

    Raises
    ------
    ContentTypeError
        Another type of answer is asked for.
    """
    if accept.partition(";")[0].strip().lower() not in (ANSWER, "*/*", "application/*"):
        raise ContentTypeError(f"answers are {ANSWER}, not {accept}")
    return json.dumps([float(each) for each in probabilities]), ANSWER
