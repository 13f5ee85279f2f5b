"""Two reviewers label the images of one bucket on the emulator at the same time; one reviewer's server is killed."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from common.inference_ids import inference_id
from tests.support.project import unique
from tests.support.terraform import Deployment
from tests.unit.evaluation.review.fakes import png

pytestmark = pytest.mark.xdist_group("local")


class Reviewer:
    """A reviewer with a separate server for the review page, and an HTTP client that has opened the page."""

    def __init__(self, local: Deployment, name: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "scripts.review", "--env", "local", "--reviewer", name]
        self.process = subprocess.Popen(command, cwd=local.project, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.match(r"open (http://127\.0\.0\.1:\d+)/\?token=\S+\n", self.process.stdout.readline())
        assert found
        self.origin = found[1]
        self.client = requests.Session()
        self.client.trust_env = False  # no proxy
        assert self.client.get(found[0].split()[1], timeout=30).status_code == 200

    def post(self, path: str, **content: Any) -> "requests.Response":
        """Send a JSON object to the reviewer's server."""
        return self.client.post(f"{self.origin}/{path}", json=content, timeout=30)

    def next(self, held: list[str]) -> str | None:
        """Return the entry key of the next image to review, or None if there is none.

        Parameters
        ----------
        held : entry keys of the images that the page already has
        """
        entry = self.post("next", held=held).json()["entry"]
        return entry and str(entry["key"])

    def answer(self, key: str) -> int:
        """Label an image as a bicycle, and return the status code of the response."""
        return self.post("answers", entry=key, label="bicycle", seconds=1).status_code


@pytest.fixture
def people(local: Deployment) -> Iterator[tuple[Reviewer, Reviewer]]:
    """Two reviewers, each with a server; both servers use the bucket of the environment `local`."""
    reviewers = Reviewer(local, unique("ana")), Reviewer(local, unique("ben"))
    yield reviewers
    for each in reviewers:
        each.process.send_signal(signal.SIGINT)
        each.process.wait(timeout=30)


@pytest.fixture
def keys(local: Deployment) -> list[str]:
    """Entry keys of six images to review: three selected images, and three photographs whose executions failed."""
    s3, bucket, driver = local.account.client("s3"), local.stack.bucket, unique("driver")
    found = []
    for number in range(6):
        key, version = f"incoming/{driver}/{number}.png", unique("version")
        record_id = inference_id(key, version)
        selected = {"id": record_id, "reasons": ["audit"], "inclusion_probability": 0.02, "audit_rate": 0.02}
        photograph = {"key": key, "version": version, "reason": f"bicycle has confidence 0.6000 for {key}, below 0.7"}
        entry, name = (
            (selected, f"review/selected/{record_id}")
            if number < 3
            else (photograph, f"review/THRESHOLD_CONFIDENCE_NOT_MET/{driver}/{version}")
        )
        s3.put_object(Bucket=bucket, Key=name, Body=png())
        s3.put_object(Bucket=bucket, Key=f"{name}.json", Body=json.dumps(entry).encode())
        found.append(f"{name}.json")
    return found


def test_each_image_has_one_answer_with_two_reviewers_and_a_killed_server(
    local: Deployment, keys: list[str], people: tuple[Reviewer, Reviewer]
) -> None:
    # GIVEN two reviewers whose queues contain all images
    ana, ben = people
    shown: dict[str, list[str]] = {ana.name: [], ben.name: []}
    for person in people:
        while key := person.next(shown[person.name]):
            shown[person.name].append(key)
    assert set(keys) == set(shown[ana.name]) == set(shown[ben.name])

    # WHEN both reviewers label the first image, ana labels the fourth image, and ana's server is killed
    assert (ana.answer(keys[0]), ben.answer(keys[0])) == (201, 409)
    assert ana.answer(keys[3]) == 201
    os.kill(ana.process.pid, signal.SIGKILL)

    # THEN ben can label all images without an answer, and then each image has exactly one answer
    while key := ben.next([]):
        assert ben.answer(key) == 201
    s3, bucket = local.account.client("s3"), local.stack.bucket
    listed = s3.list_object_versions(Bucket=bucket, Prefix="labels/answers/")
    found = [json.loads(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()) for each in listed["Versions"]]
    answers = {answer["entry"]: answer["reviewer"] for answer in found if answer["reviewer"] in shown}
    assert answers == {key: ana.name if key in (keys[0], keys[3]) else ben.name for key in keys}
    assert len([answer for answer in found if answer["entry"] in keys]) == len(keys)

    # AND ben's server prints a summary when it is stopped
    ben.process.send_signal(signal.SIGINT)
    assert ben.process.stdout is not None
    assert f"4 of them now by {ben.name}" in ben.process.stdout.read()
    assert ben.process.wait(timeout=30) == 0
