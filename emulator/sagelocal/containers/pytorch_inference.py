"""Emulates AWS's PyTorch inference image: `python -m sagelocal.containers.pytorch_inference serve`.

Serves the model in `SM_MODEL_DIR` (`SAGEMAKER_BASE_DIR`/model). The model's `code/inference.py`, or the file that
`SAGEMAKER_PROGRAM` names, defines `model_fn(model_dir)` and either `input_fn`, `predict_fn` and `output_fn` or
`transform_fn`:
https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html. As in AWS's image, these functions are
called by AWS's toolkit, the package sagemaker-inference. The packages in the model's `code/requirements.txt` must
already be installed.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cheroot.wsgi import Server
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.transformer import Transformer

THREADS = 32  # each open connection occupies a thread
BACKLOG = 128  # connections that can wait until they are accepted


class Handler(DefaultInferenceHandler):  # type: ignore[misc]
    """The toolkit's default handler, which rejects a model without `model_fn`, because torch may not be installed."""

    def default_model_fn(self, model_dir: str, context: object = None) -> object:
        """Raise an error, because the model defines no `model_fn`."""
        raise NotImplementedError(f"{model_dir} needs code/inference.py with a model_fn: add it to the model archive")


class Context(threading.local):
    """A request's headers and its response's status and headers, in the interface that the toolkit expects.

    The toolkit keeps the first context that it receives, so all requests share this object. The attributes are separate
    for each thread.
    """

    def __init__(self, model_dir: Path) -> None:
        self.system_properties = {"model_dir": str(model_dir)}
        self.request_processor = [self]
        self.reset({})

    def reset(self, headers: Mapping[str, str]) -> None:
        """Store the headers of the next request, and reset the response."""
        self.status = int(HTTPStatus.OK)
        self.headers = {"Content-Type": "text/plain"}
        self._headers = dict(headers)

    def get_request_properties(self) -> dict[str, str]:
        """Return the request's headers."""
        return self._headers

    def set_response_status(self, code: int, phrase: str) -> None:
        """Set the response's status; the toolkit also writes the phrase into the body."""
        self.status = code

    def set_response_content_type(self, request: object, value: str) -> None:
        """Set the response's content type."""
        self.headers["Content-Type"] = value

    def set_response_header(self, request: object, key: str, value: str) -> None:
        """Set a header of the response."""
        self.headers[key] = value


class Application:
    """WSGI application that serves one model."""

    def __init__(self, directory: Path) -> None:
        self._context = Context(directory)
        self._transformer = Transformer(Handler())
        # the model is loaded before the server starts, so that no ping succeeds if loading fails
        self._transformer.validate_and_initialize(str(directory), self._context)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Respond to `/ping` and `/invocations`."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if (method, path) == ("GET", "/ping"):
            return _send(start_response, 200, {"Content-Type": "text/plain"}, b"")
        if (method, path) == ("POST", "/invocations"):
            return _send(start_response, *self._invoke(environ))
        return _send(start_response, 404, {"Content-Type": "text/plain"}, b"use GET /ping or POST /invocations")

    def _invoke(self, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {"Content-Type": environ.get("CONTENT_TYPE") or "application/octet-stream"}
        if environ.get("HTTP_ACCEPT"):
            headers["Accept"] = environ["HTTP_ACCEPT"]
        context = self._context
        context.reset(headers)
        (response,) = self._transformer.transform([{"body": body}], context)
        if context.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            print(response, flush=True)
        return context.status, context.headers, response.encode() if isinstance(response, str) else bytes(response)


def _send(start_response: Any, status: int, headers: Mapping[str, str], body: bytes) -> list[bytes]:
    start_response(f"{status} -", [*headers.items(), ("Content-Length", str(len(body)))])
    return [body]


def main() -> None:
    """Serve the model until the process is interrupted."""
    # a model must not import from the folder that contains `sagelocal`, because AWS's container has no such folder
    with contextlib.suppress(ValueError):  # raised if the folder is not on the import path
        sys.path.remove(str(Path(__file__).parents[2]))
    directory = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    sys.path.insert(0, str(directory / "code"))
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    application = Application(directory)
    server = Server(("127.0.0.1", port), application, numthreads=THREADS, request_queue_size=BACKLOG, timeout=3600)
    try:
        server.start()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
