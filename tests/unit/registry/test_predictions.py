"""A model's answers, row by row, are read from what its job left, and from nothing else."""

# ruff: noqa: N803  the names are boto3's

import io
import tarfile
from typing import Any

import pytest

from registry.predictions import AnswersError, fetch_right, parse_right
from training.follow import MAX_METRICS_BYTES

MODEL = "s3://bucket/models/job/output/model.tar.gz"


def pack(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as files:
        for name, content in members.items():
            member = tarfile.TarInfo(name.replace("_csv", ".csv"))
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class FakeS3:
    """One job's output, or none."""

    class exceptions:  # noqa: N801
        class NoSuchKey(Exception):  # noqa: N818
            """It is not there."""

    def __init__(self, body: bytes | None, size: int | None = None) -> None:
        self._body, self._size = body, size

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert (Bucket, Key) == ("bucket", "models/job/output/output.tar.gz")
        if self._body is None:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(self._body), "ContentLength": self._size or len(self._body)}


def test_the_answers_say_which_rows_are_right() -> None:
    # GIVEN
    s3 = FakeS3(pack(metrics_json=b"{}", validation_csv=b'a.png,0,0.9,0.1\n"b,c.png",1,0.6,0.4\nd.png,1,0.2,0.8\n'))

    # WHEN / THEN
    assert fetch_right(MODEL, s3=s3) == {"a.png": True, "b,c.png": False, "d.png": True}


@pytest.mark.parametrize("body", [None, pack(other_csv=b"")], ids=["no output", "no answers in it"])
def test_an_algorithm_may_leave_none(body: bytes | None) -> None:
    assert fetch_right(MODEL, s3=FakeS3(body)) is None


@pytest.mark.parametrize(
    ("body", "size"), [(b"no archive", None), (pack(), MAX_METRICS_BYTES + 1)], ids=["broken", "too large"]
)
def test_an_output_that_cannot_be_read_is_refused(body: bytes, size: int | None) -> None:
    with pytest.raises(AnswersError, match=r"output\.tar\.gz"):
        fetch_right(MODEL, s3=FakeS3(body, size))


@pytest.mark.parametrize(
    "content",
    [
        b"a.png,0,0.9,0.1\na.png,0,0.9,0.1\n",
        b"a.png,0,0.9,0.1\nb.png,0,0.9\n",
        b"a.png,0,1.0\n",
        b"a.png,2,0.9,0.1\n",
        b"a.png,-1,0.9,0.1\n",
        b"a.png,x,0.9,0.1\n",
        b"a.png,0,0.9,nan\n",
        b"a.png,0,0.9,1.1\n",
        b"\xff,0,0.9,0.1\n",
        b'"a.png"x,0,0.9,0.1\n',
    ],
    ids=["twice", "short", "one class", "class", "negative", "text", "nan", "above 1", "bytes", "quotes"],
)
def test_a_line_of_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(AnswersError, match=r"validation\.csv"):
        parse_right(content)
