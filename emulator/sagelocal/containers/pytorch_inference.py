"""Stands in for AWS's PyTorch inference image: `python -m sagelocal.containers.pytorch_inference serve`.

Serves a model directory (`SAGEMAKER_BASE_DIR`/model) whose `code/inference.py` (or what `SAGEMAKER_PROGRAM` names
there) has `model_fn(model_dir)` and either `input_fn`, `predict_fn` and `output_fn` or `transform_fn`:
https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html. It is run by AWS's own toolkit, the
package sagemaker-inference, which that image has inside too. What the code's `requirements.txt` names is taken as
installed.
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

THREADS = 32  # a client keeps one, answering or not
BACKLOG = 128  # clients that may wait to be taken in


class Handler(DefaultInferenceHandler):  # type: ignore[misc]
    """What the model's code must bring: this image has no torch of its own to load a model with."""

    def default_model_fn(self, model_dir: str, context: object = None) -> object:
        """Refuse a model without code."""
        raise NotImplementedError(f"{model_dir} needs code/inference.py with a model_fn")


class Context(threading.local):
    """What the toolkit is told of a request, and what it says of the answer.

    It is one object for all requests, as the toolkit keeps the first one that it is given; each thread sees its own.
    """

    def __init__(self, model_dir: Path) -> None:
        self.system_properties = {"model_dir": str(model_dir)}
        self.request_processor = [self]
        self.begin({})

    def begin(self, headers: Mapping[str, str]) -> None:
        """Turn to the next request."""
        self.status = int(HTTPStatus.OK)
        self.headers = {"Content-Type": "text/plain"}
        self._headers = dict(headers)

    def get_request_properties(self) -> dict[str, str]:
        """The headers."""
        return self._headers

    def set_response_status(self, code: int, phrase: str) -> None:
        """Keep the status; its phrase is the first line of the body too."""
        self.status = code

    def set_response_content_type(self, request: object, value: str) -> None:
        """Keep the answer's type."""
        self.headers["Content-Type"] = value

    def set_response_header(self, request: object, key: str, value: str) -> None:
        """Keep a header of the answer."""
        self.headers[key] = value


class Application:
    """WSGI over a model's code."""

    def __init__(self, directory: Path) -> None:
        self._context = Context(directory)
        self._transformer = Transformer(Handler())
        # now, so that a model which cannot be loaded keeps the server from answering pings
        self._transformer.validate_and_initialize(str(directory), self._context)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if (method, path) == ("GET", "/ping"):
            return _send(start_response, 200, {"Content-Type": "text/plain"}, b"")
        if (method, path) == ("POST", "/invocations"):
            return _send(start_response, *self._invoke(environ))
        return _send(start_response, 404, {"Content-Type": "text/plain"}, b"there is /ping and /invocations")

    def _invoke(self, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {"Content-Type": environ.get("CONTENT_TYPE") or "application/octet-stream"}
        if environ.get("HTTP_ACCEPT"):
            headers["Accept"] = environ["HTTP_ACCEPT"]
        context = self._context
        context.begin(headers)
        (answer,) = self._transformer.transform([{"body": body}], context)
        if context.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            print(answer, flush=True)
        return context.status, context.headers, answer.encode() if isinstance(answer, str) else bytes(answer)


def _send(start_response: Any, status: int, headers: Mapping[str, str], body: bytes) -> list[bytes]:
    start_response(f"{status} -", [*headers.items(), ("Content-Length", str(len(body)))])
    return [body]


def main() -> None:
    """Serve until ended."""
    # where this module was found is no place for a model to import from: in a container it would not be there
    with contextlib.suppress(ValueError):  # it is not on the path
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
