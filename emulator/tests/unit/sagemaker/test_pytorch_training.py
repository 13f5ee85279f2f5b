"""The substitute for AWS's PyTorch training container: the script, its arguments and failures."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from sagelocal.containers import pytorch_training


class FakeS3:
    """An S3 client with one object, the archive of a script."""

    class exceptions:  # noqa: N801 (boto3's name)
        NoSuchKey = type("NoSuchKey", (Exception,), {})
        NoSuchBucket = type("NoSuchBucket", (Exception,), {})

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get_object(self, **request: str) -> dict[str, Any]:
        if request != {"Bucket": "code", "Key": "source.tar.gz"}:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(self._body)}


def make_archive(**files: str) -> bytes:
    """Return a `tar.gz` archive; `files` maps names to texts, with an underscore instead of a dot in each name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


TOOLKIT_PARAMETERS = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://code/source.tar.gz"}


def test_archive_is_unpacked_and_the_name_of_the_script_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "client", lambda name: FakeS3(make_archive(train_py="pass", helper_py="pass")))

    assert pytorch_training.download_script(TOOLKIT_PARAMETERS, tmp_path) == "train.py"
    assert (tmp_path / "helper.py").is_file()


@pytest.mark.parametrize(
    ("hyperparameters", "body", "reason"),
    [
        ({}, b"", "must name a script"),
        ({**TOOLKIT_PARAMETERS, "sagemaker_submit_directory": "s3://code/other"}, b"", "other cannot be read"),
        (TOOLKIT_PARAMETERS, b"not an archive", "cannot be unpacked"),
        (TOOLKIT_PARAMETERS, make_archive(other_py="pass"), "does not contain train.py"),
    ],
    ids=["no hyperparameters", "missing archive", "invalid archive", "missing script"],
)
def test_missing_script_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hyperparameters: dict[str, str], body: bytes, reason: str
) -> None:
    monkeypatch.setattr(boto3, "client", lambda name: FakeS3(body))

    with pytest.raises(pytorch_training.ScriptMissingError, match=reason):
        pytorch_training.download_script(hyperparameters, tmp_path)


def test_hyperparameters_are_parsed_as_json_or_kept_as_text(tmp_path: Path) -> None:
    # GIVEN
    path = tmp_path / "hyperparameters.json"
    path.write_text(json.dumps({"epochs": "3", "name": '"quoted"', "classes": "a,b"}))

    # WHEN
    read = pytorch_training.read_hyperparameters(path)

    # THEN
    assert read == {"epochs": 3, "name": "quoted", "classes": "a,b"}
    assert pytorch_training.to_arguments(read) == ["--classes", "a,b", "--epochs", "3", "--name", "quoted"]


def test_failure_file_is_written_unless_the_script_has_written_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    failure = tmp_path / "failure"
    monkeypatch.setenv("SM_OUTPUT_FAILURE", str(failure))

    # WHEN / THEN
    with pytest.raises(SystemExit):
        pytorch_training.fail("the toolkit's reason")
    assert failure.read_text() == "the toolkit's reason"
    failure.write_text("the script's reason")
    with pytest.raises(SystemExit):
        pytorch_training.fail("the toolkit's reason")
    assert failure.read_text() == "the script's reason"
