"""The review server responds only to the page that its operator has opened."""

import base64
import io
import json
from typing import Any

import pytest
import requests
from PIL import Image

from tests.unit.evaluation.review.conftest import Serve, Served
from tests.unit.evaluation.review.fakes import FakeS3, error

A, B = "review/selected/a.json", "review/selected/b.json"


def answer(client: requests.Session, origin: str, label: str = "bicycle", entry: str = A, **fields: Any) -> Any:
    """Send an answer to a server, and return the response."""
    body = {"entry": entry, "label": label, "seconds": 1.23, **fields}
    return client.post(f"{origin}/answers", json=body)


def test_image_is_sent_as_a_new_file_and_the_prediction_only_after_the_answer(serve: Serve, s3: FakeS3) -> None:
    # GIVEN
    served = serve()
    client = served.client()

    # WHEN
    shown = client.post(f"{served.origin}/next", json={"held": []})
    stored = answer(client, served.origin)

    # THEN
    media_type, _, content = shown.json()["entry"]["image"].partition(",")
    assert media_type == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (512, 384)
    assert shown.json()["entry"].keys() == {"key", "image"}
    assert "motorcycle" not in shown.text
    assert (stored.status_code, stored.json()["prediction"]) == (201, ["motorcycle", 0.6])
    assert json.loads(s3.objects["labels/answers/a.json"])["seconds"] == 1.2


def test_second_answer_is_refused_with_the_name_of_the_first_reviewer(serve: Serve, s3: FakeS3) -> None:
    # GIVEN
    ana, ben = serve(), serve("ben")
    first, second = ana.client(), ben.client()
    first.post(f"{ana.origin}/next", json={})
    second.post(f"{ben.origin}/next", json={})
    answer(first, ana.origin)

    # WHEN
    lost = answer(second, ben.origin, "motorcycle")

    # THEN
    assert lost.status_code == 409
    assert lost.json()["message"].startswith("ana has answered for this image")
    assert lost.json()["answered"] == 1
    assert b'"bicycle"' in s3.objects["labels/answers/a.json"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": "bike"}, "label must be one of bicycle, motorcycle, neither (got 'bike')"),
        ({"entry": "incoming/zoe/1.jpg"}, "this image was not shown"),
        ({"entry": B}, "this image was not shown"),
    ],
)
def test_answer_with_an_invalid_label_or_for_an_image_that_was_not_shown_is_refused(
    serve: Serve, s3: FakeS3, fields: dict[str, str], message: str
) -> None:
    # GIVEN
    served = serve()
    client = served.client()
    client.post(f"{served.origin}/next", json={})

    # WHEN
    refused = answer(client, served.origin, **fields)

    # THEN
    assert (refused.status_code, refused.json()["message"]) == (422, message)
    assert not [key for key in s3.objects if key.startswith("labels/")]


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-1", '"x"'])
def test_answer_with_an_invalid_duration_is_refused(served: Served, seconds: str) -> None:
    # GIVEN
    body = f'{{"entry": "{A}", "label": "bicycle", "seconds": {seconds}}}'

    # WHEN
    refused = served.client().post(f"{served.origin}/answers", data=body, headers={"Content-Type": "application/json"})

    # THEN
    assert refused.status_code == 422


def test_undo_returns_the_image_of_the_latest_answer(serve: Serve, s3: FakeS3) -> None:
    # GIVEN
    served = serve()
    client = served.client()
    client.post(f"{served.origin}/next", json={})
    answer(client, served.origin)

    # WHEN
    undone, again = (client.post(f"{served.origin}/undo", json={}).json() for _ in range(2))

    # THEN
    assert undone["entry"]["key"] == A
    assert (undone["answered"], undone["total"], again["entry"]) == (0, 3, None)
    assert "labels/answers/a.json" not in s3.objects


def test_s3_error_is_reported_with_status_502(serve: Serve, s3: FakeS3) -> None:
    # GIVEN credentials that have expired
    served = serve()
    client = served.client()
    client.post(f"{served.origin}/next", json={})

    def refuse(**_: Any) -> Any:
        raise error("ExpiredToken")

    s3.put_object = refuse  # type: ignore[method-assign]

    # WHEN
    failed = answer(client, served.origin)

    # THEN
    assert failed.status_code == 502
    assert "ExpiredToken" in failed.json()["message"]


def test_token_is_moved_from_the_url_to_a_cookie_that_scripts_cannot_read(served: Served) -> None:
    # WHEN
    response = requests.get(served.address.url, allow_redirects=False, timeout=10)

    # THEN
    cookie = response.headers["Set-Cookie"]
    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert cookie.startswith(f"review-{served.address.port}={served.address.token};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Host": "attacker.example"}, "addressed to another host"),
        ({"Host": "127.0.0.1"}, "addressed to another host"),
        ({"Origin": "https://attacker.example"}, "comes from another origin"),
        ({"Origin": "null"}, "comes from another origin"),
        ({"Cookie": ""}, "open the address that `make review` has printed"),
        ({"Cookie": "review=some-token"}, "open the address that `make review` has printed"),
    ],
)
@pytest.mark.parametrize("path", ["next", "answers", "undo", "review.js", ""])
def test_requests_from_other_pages_and_programs_are_refused(
    served: Served, headers: dict[str, str], reason: str, path: str
) -> None:
    # GIVEN
    client = served.client()
    client.post(f"{served.origin}/next", json={})
    if "Cookie" in headers:
        client.cookies.clear()
    method = "GET" if path in ("", "review.js") else "POST"

    # WHEN
    body = {"entry": A, "label": "bicycle", "seconds": 1}
    refused = client.request(method, f"{served.origin}/{path}", json=body, headers=headers)

    # THEN
    assert refused.status_code == 403
    assert reason in refused.text
    assert (served.queue.progress.answered, served.queue.given) == (0, 0)


def test_wrong_token_is_refused_even_if_the_cookie_is_valid(served: Served) -> None:
    # WHEN / THEN
    assert served.client().get(f"{served.origin}/?token=x").status_code == 403
    assert requests.get(f"{served.origin}/?token=%ff", timeout=10).status_code == 403


def test_each_server_has_a_different_token_and_cookie(serve: Serve) -> None:
    # WHEN
    first, second = serve(), serve()

    # THEN
    assert first.address.token != second.address.token
    assert first.address.cookie != second.address.cookie
    assert first.client().get(f"{second.origin}/").status_code == 403


@pytest.mark.parametrize("path", ["", "theme.css", "review.css", "review.js", "missing"])
def test_every_response_forbids_caching_and_content_from_other_origins(served: Served, path: str) -> None:
    # WHEN
    headers = served.client().get(f"{served.origin}/{path}").headers

    # THEN
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert "Server" not in headers


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json"])
def test_documentation_pages_of_the_web_framework_do_not_exist(served: Served, path: str) -> None:
    # WHEN / THEN
    assert served.client().get(f"{served.origin}/{path}").status_code == 404


def test_names_of_reviewer_and_classes_are_escaped_in_html(serve: Serve) -> None:
    # GIVEN
    served = serve("<script>alert(1)</script>", ("<b>", 'x" autofocus="'))

    # WHEN
    page = served.client().get(served.origin).text

    # THEN
    assert "<script>alert" not in page
    assert "<b>" not in page.partition("<main>")[2]
    assert 'autofocus="' not in page
