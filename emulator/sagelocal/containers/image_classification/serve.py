"""The inference server: `/ping`, and `/invocations`, which classifies one encoded image per request."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from cheroot.wsgi import Server
from PIL import Image
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from sagelocal.containers.image_classification import model_files
from sagelocal.containers.image_classification.images import ImageError, decode, pixels

THREADS = 8
MAX_BYTES = 25 * 1024 * 1024
CONTENT_TYPES = ("application/x-image", "image/png", "image/jpeg")
JSON, LINES = "application/json", "application/jsonlines"
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class PayloadError(Exception):
    """The request is invalid; `status` is the HTTP status of the response."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"Unable to evaluate payload provided: {reason}")
        self.status = status


class Application:
    """WSGI application that serves the model in a folder.

    HTTP statuses of errors: 415 for an unknown content type, 406 if the request accepts neither JSON nor JSON Lines,
    413 for a body that is too large, 400 for a body that is not a readable image.
    """

    def __init__(self, folder: Path) -> None:
        self._network, self._size = model_files.load(folder)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Respond to `/ping` and `/invocations`."""
        operation = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if operation == ("GET", "/ping"):
            return _send(start_response, 200, "text/plain", "")
        if operation != ("POST", "/invocations"):
            return _send(start_response, 404, "text/plain", "use GET /ping or POST /invocations")
        try:
            accept = _accept(environ)
            probabilities = self.probabilities(_body(environ))
        except PayloadError as error:
            return _send(start_response, error.status, "text/plain", str(error))
        content = json.dumps(probabilities if accept == JSON else {"prediction": probabilities})
        return _send(start_response, 200, accept, content if accept == JSON else content + "\n")

    @torch.inference_mode()
    def probabilities(self, content: bytes) -> list[float]:
        """Return the probability of each class; the image is resized to the network's input regardless of aspect ratio.

        Raises
        ------
        PayloadError
            If the content is not a readable PNG or JPEG, or has too many pixels.
        """
        try:
            image = decode(content)
        except ImageError as error:
            raise PayloadError(400, str(error)) from error
        height, width = self._size
        resized = pixels(image.resize((width, height), Image.Resampling.BILINEAR))
        batch = torch.tensor(resized).permute(2, 0, 1)[None].float()
        probabilities: list[float] = torch.softmax(self._network(batch)[0].double(), 0).tolist()
        return probabilities


def run() -> None:
    """Serve the model until the process is interrupted."""
    torch.set_num_threads(1)  # requests already run in parallel
    folder = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    try:
        application = Application(folder)
    except FileNotFoundError as error:
        sys.exit(str(error))
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    server = Server(("127.0.0.1", port), application, numthreads=THREADS, timeout=3600)
    try:
        server.start()
    except KeyboardInterrupt:
        server.stop()


def _accept(environ: dict[str, Any]) -> str:
    header = environ.get("HTTP_ACCEPT") or JSON
    accepted = parse_accept_header(header, MIMEAccept).best_match((JSON, LINES))
    if accepted is None:
        raise PayloadError(406, f"Accept must be {JSON} or {LINES} (got {header})")
    return accepted


def _body(environ: dict[str, Any]) -> bytes:
    content_type = (environ.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    if content_type not in CONTENT_TYPES:
        raise PayloadError(415, f"content type must be one of {', '.join(CONTENT_TYPES)} (got '{content_type}')")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > MAX_BYTES:
        raise PayloadError(413, f"{length} bytes exceed the limit of {MAX_BYTES} bytes")
    content: bytes = environ["wsgi.input"].read(length)
    return content


def _send(start_response: StartResponse, status: int, content_type: str, text: str) -> list[bytes]:
    body = text.encode()
    start_response(f"{status} -", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
