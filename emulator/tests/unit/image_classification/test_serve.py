"""The inference server: class probabilities, response formats, and error messages for invalid requests."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from sagelocal.containers.image_classification import model_files, serve
from sagelocal.containers.image_classification.serve import Application

from .examples import hyperparameters, png


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """A server with an untrained network of three classes. Its model folder also contains an older network."""
    folder = tmp_path_factory.mktemp("model")
    model_files.save(model_files.create(hyperparameters()), hyperparameters(), folder, 0)
    newer = hyperparameters(num_classes="3", image_shape="3,16,24")
    torch.manual_seed(1)
    model_files.save(model_files.create(newer), newer, folder, 11)
    return Application(folder)


class Response:
    """The server's response to a request.

    content : body of the request
    environ : more members of the WSGI environment
    """

    def __init__(self, application: Application, content: bytes, **environ: Any) -> None:
        given = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/invocations",
            "CONTENT_TYPE": "image/png",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            **environ,
        }
        self.body = b"".join(application(given, self._start)).decode()

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status = int(status.split()[0])
        self.content_type = dict(headers)["Content-Type"]


def jpeg() -> bytes:
    """Return a red JPEG image."""
    stream = io.BytesIO()
    Image.new("RGB", (50, 20), "red").save(stream, "JPEG")
    return stream.getvalue()


def test_ping_succeeds(application: Application) -> None:
    assert Response(application, b"", REQUEST_METHOD="GET", PATH_INFO="/ping").status == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("image/png", png(0)),
        ("image/jpeg", jpeg()),
        ("application/x-image", png(1, width=3, height=70)),
        ("application/x-image", jpeg()),
    ],
    ids=["png", "jpeg", "x-image, png", "x-image, jpeg"],
)
def test_png_and_jpeg_of_any_size_have_class_probabilities(
    application: Application, content_type: str, body: bytes
) -> None:
    # WHEN
    response = Response(application, body, CONTENT_TYPE=content_type)
    # THEN
    assert (response.status, response.content_type) == (200, "application/json")
    probabilities = json.loads(response.body)
    assert len(probabilities) == 3
    assert sum(probabilities) == pytest.approx(1)


def test_json_lines_response_has_the_format_for_batch_transform(application: Application) -> None:
    # WHEN
    response = Response(application, png(0), HTTP_ACCEPT="application/jsonlines")
    # THEN
    assert (response.status, response.content_type) == (200, "application/jsonlines")
    assert response.body.endswith("\n")
    assert json.loads(response.body)["prediction"] == json.loads(Response(application, png(0)).body)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/csv, application/json", "application/json"),
        ("application/jsonlines;q=0.9, application/json;q=0.1", "application/jsonlines"),
        ("application/*", "application/json"),
        ("*/*;q=0.1, application/json;q=0", "application/jsonlines"),
    ],
)
def test_accept_header_is_a_list_of_weighted_media_ranges(
    application: Application, accept: str, content_type: str
) -> None:
    assert Response(application, png(0), HTTP_ACCEPT=accept).content_type == content_type


@pytest.mark.parametrize(
    ("body", "environ", "status", "reason"),
    [
        (b"", {}, 400, "not a PNG or JPEG"),
        (b"GIF89a", {}, 400, "not a PNG or JPEG"),
        (png(0)[:60], {}, 400, "not a readable PNG or JPEG"),
        (png(0), {"CONTENT_TYPE": "text/csv"}, 415, "(got 'text/csv')"),
        (png(0), {"HTTP_ACCEPT": "text/csv"}, 406, "Accept must be application/json"),
        (png(0), {"CONTENT_LENGTH": str(serve.MAX_BYTES + 1)}, 413, "bytes exceed the limit"),
    ],
    ids=["empty", "gif", "truncated", "content type", "accept", "size"],
)
def test_invalid_request_fails_with_status_and_reason(
    application: Application, body: bytes, environ: dict[str, str], status: int, reason: str
) -> None:
    # WHEN
    response = Response(application, body, **environ)
    # THEN
    assert response.status == status
    assert response.body.startswith("Unable to evaluate payload provided: ")
    assert reason in response.body


def test_unknown_path_is_not_found(application: Application) -> None:
    assert Response(application, b"", PATH_INFO="/models").status == 404


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"contains no image-classification-\*\.pt"):
        Application(tmp_path)
