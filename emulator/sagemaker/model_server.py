"""Stands in for AWS's PyTorch inference image: `python -m emulator.sagemaker.model_server serve`.

Serves a model directory (`SM_MODEL_DIR`) whose `code/inference.py` (or what `SAGEMAKER_PROGRAM` names there) has
`model_fn(model_dir)`, `input_fn(body, content_type)`, `predict_fn(data, model)` and `output_fn(prediction, accept)`, as
AWS's inference toolkit asks: https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html.
What its `requirements.txt` names is taken as installed.
"""

import contextlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from cheroot.wsgi import Server

THREADS = 32  # a client keeps one, answering or not
BACKLOG = 128  # clients that may wait to be taken in
DEFAULT_ACCEPT = "application/json"
TEXTS = ("application/json", "text/csv")  # the toolkit hands these to input_fn as text, all else as bytes
FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn")
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Application:
    """WSGI over the four functions of a model's code.

    Errors: a ValueError of `input_fn` is the client's (400); one that has a `status_code`, as the toolkit's own
    errors have, is answered with it; anything else is the model's (500), with its trace in the log.
    """

    def __init__(self, directory: Path) -> None:
        self._code = load_code(directory)
        self._model = self._code.model_fn(str(directory))

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if (method, path) == ("GET", "/ping"):
            return _send(start_response, 200, "text/plain", b"")
        if (method, path) == ("POST", "/invocations"):
            return _send(start_response, *self._invoke(environ))
        return _send(start_response, 404, "text/plain", b"there is /ping and /invocations")

    def _invoke(self, environ: dict[str, Any]) -> tuple[int, str, bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        content_type = environ.get("CONTENT_TYPE") or "application/octet-stream"
        accept = environ.get("HTTP_ACCEPT") or "*/*"
        if accept == "*/*":
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", DEFAULT_ACCEPT)
        try:
            text = content_type.partition(";")[0].strip() in TEXTS
            data = self._code.input_fn(body.decode() if text else body, content_type)
        except Exception as error:
            return _failure(error, expected=ValueError)
        try:
            prediction = self._code.predict_fn(data, self._model)
            answer = self._code.output_fn(prediction, accept)
        except Exception as error:
            return _failure(error, expected=())
        content, kind = answer if isinstance(answer, tuple) else (answer, accept)
        return 200, kind, content.encode() if isinstance(content, str) else content


def load_code(directory: Path) -> ModuleType:
    """`code/inference.py` of a model, whose folder is importable for it."""
    path = directory / "code" / os.environ.get("SAGEMAKER_PROGRAM", "inference.py")
    if not path.is_file():
        sys.exit(f"{path} is missing: this server needs a model with code/{path.name}")
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("inference", path)
    assert spec is not None  # noqa: S101 (for a file that is there, Python has a loader)
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules["inference"] = module
    spec.loader.exec_module(module)
    missing = [name for name in FUNCTIONS if not callable(getattr(module, name, None))]
    if missing:
        sys.exit(f"{path} lacks {', '.join(missing)}")
    return module


def _failure(error: Exception, *, expected: type[Exception] | tuple[()]) -> tuple[int, str, bytes]:
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or not 400 <= status < 600:
        status = 400 if isinstance(error, expected) else 500
    if status >= 500:
        traceback.print_exception(error)
    return status, "text/plain", str(error).encode()


def _send(start_response: StartResponse, status: int, content_type: str, body: bytes) -> list[bytes]:
    start_response(f"{status} -", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


def main() -> None:
    """Serve until ended."""
    # where this module was found is no place for a model to import from: in a container it would not be there
    with contextlib.suppress(ValueError):  # it is not on the path
        sys.path.remove(str(Path(__file__).parents[2]))
    directory = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    server = Server(
        ("127.0.0.1", port), Application(directory), numthreads=THREADS, request_queue_size=BACKLOG, timeout=3600
    )
    try:
        server.start()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
