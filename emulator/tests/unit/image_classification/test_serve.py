"""Serving: one image, one list of probabilities; for anything else a reason."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from sagelocal.containers.image_classification import model, serve
from sagelocal.containers.image_classification.serve import Application

from .data import hyperparameters, png


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """Serves a network that knows nothing; an older one lies beside it."""
    folder = tmp_path_factory.mktemp("model")
    model.save(model.create(hyperparameters()), hyperparameters(), folder, 0)
    newer = hyperparameters(num_classes="3", image_shape="3,16,24")
    torch.manual_seed(1)
    model.save(model.create(newer), newer, folder, 11)
    return Application(folder)


class Answer:
    """What the application answers."""

    def __init__(self, application: Application, body: bytes, **environ: Any) -> None:
        given = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/invocations",
            "CONTENT_TYPE": "image/png",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **environ,
        }
        self.body = b"".join(application(given, self._start)).decode()

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status = int(status.split()[0])
        self.content_type = dict(headers)["Content-Type"]


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (50, 20), "red").save(stream, "JPEG")
    return stream.getvalue()


def test_a_healthy_server_says_so(application: Application) -> None:
    assert Answer(application, b"", REQUEST_METHOD="GET", PATH_INFO="/ping").status == 200


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
def test_an_image_of_any_size_gets_probabilities(application: Application, content_type: str, body: bytes) -> None:
    # WHEN
    answer = Answer(application, body, CONTENT_TYPE=content_type)
    # THEN
    assert (answer.status, answer.content_type) == (200, "application/json")
    probabilities = json.loads(answer.body)
    assert len(probabilities) == 3
    assert sum(probabilities) == pytest.approx(1)


def test_json_lines_are_as_batch_transform_has_them(application: Application) -> None:
    # WHEN
    answer = Answer(application, png(0), HTTP_ACCEPT="application/jsonlines")
    # THEN
    assert (answer.status, answer.content_type) == (200, "application/jsonlines")
    assert answer.body.endswith("\n")
    assert json.loads(answer.body)["prediction"] == json.loads(Answer(application, png(0)).body)


@pytest.mark.parametrize(
    ("body", "environ", "status", "reason"),
    [
        (b"", {}, 400, "no PNG or JPEG"),
        (b"GIF89a", {}, 400, "no PNG or JPEG"),
        (png(0)[:60], {}, 400, "no PNG or JPEG"),
        (png(0), {"CONTENT_TYPE": "text/csv"}, 415, "content type 'text/csv'"),
        (png(0), {"HTTP_ACCEPT": "text/csv"}, 406, "answers are application/json"),
        (png(0), {"CONTENT_LENGTH": str(serve.MAX_BYTES + 1)}, 413, "bytes, and"),
    ],
    ids=["empty", "gif", "cut", "content type", "accept", "size"],
)
def test_a_bad_request_gets_a_reason(
    application: Application, body: bytes, environ: dict[str, str], status: int, reason: str
) -> None:
    # WHEN
    answer = Answer(application, body, **environ)
    # THEN
    assert answer.status == status
    assert answer.body.startswith("Unable to evaluate payload provided: ")
    assert reason in answer.body


def test_another_path_is_none(application: Application) -> None:
    assert Answer(application, b"", PATH_INFO="/models").status == 404


def test_a_folder_without_a_model_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no image-classification-\*\.pt"):
        Application(tmp_path)
