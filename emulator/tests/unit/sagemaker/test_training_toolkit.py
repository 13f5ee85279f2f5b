"""The stand-in for AWS's training toolkit: the script that two hyperparameters name, with the others as arguments."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from sagelocal.containers import pytorch_training as module


class FakeS3:
    """A bucket with one archive."""

    class exceptions:  # noqa: N801 (boto3's name)
        NoSuchKey = type("NoSuchKey", (Exception,), {})
        NoSuchBucket = type("NoSuchBucket", (Exception,), {})

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get_object(self, **request: str) -> dict[str, Any]:
        if request != {"Bucket": "code", "Key": "source.tar.gz"}:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(self._body)}


def packed(**files: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


TOLD = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://code/source.tar.gz"}


def test_the_script_is_unpacked_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda name: FakeS3(packed(train_py="pass", helper_py="pass")))

    assert module.bring(TOLD, tmp_path) == "train.py"
    assert (tmp_path / "helper.py").is_file()


@pytest.mark.parametrize(
    ("told", "body", "reason"),
    [
        ({}, b"", "must name a script"),
        ({**TOLD, "sagemaker_submit_directory": "s3://code/other"}, b"", "cannot be unpacked"),
        (TOLD, b"no archive", "cannot be unpacked"),
        (TOLD, packed(other_py="pass"), "holds no train.py"),
    ],
    ids=["nothing named", "no archive", "broken", "no script in it"],
)
def test_a_script_that_cannot_be_had_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], body: bytes, reason: str
) -> None:
    monkeypatch.setattr(boto3, "client", lambda name: FakeS3(body))

    with pytest.raises(module.ScriptMissingError, match=reason):
        module.bring(told, tmp_path)


def test_hyperparameters_are_json_or_plain_text(tmp_path: Path) -> None:
    # GIVEN
    path = tmp_path / "hyperparameters.json"
    path.write_text(json.dumps({"epochs": "3", "name": '"quoted"', "classes": "a,b"}))

    # WHEN
    read = module.read_hyperparameters(path)

    # THEN
    assert read == {"epochs": 3, "name": "quoted", "classes": "a,b"}
    assert module.arguments(read) == ["--classes", "a,b", "--epochs", "3", "--name", "quoted"]


def test_the_script_s_own_reason_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    failure = tmp_path / "failure"
    monkeypatch.setenv("SM_OUTPUT_FAILURE", str(failure))

    # WHEN, THEN
    with pytest.raises(SystemExit):
        module.fail("the toolkit's reason")
    assert failure.read_text() == "the toolkit's reason"
    failure.write_text("the script's reason")
    with pytest.raises(SystemExit):
        module.fail("the toolkit's reason")
    assert failure.read_text() == "the script's reason"
