"""What a batch answered, as a table and as a file."""

import csv
import io

import pytest

from registry.batch_transform import Answers
from scripts.transform import BatchError, as_csv, check_complete, folder_of, summary
from tests.unit.stacks import make_stack

ANSWERS = Answers({"in/a,b.png": [0.98, 0.02], "in/c.png": [0.4, 0.6], "in/d.png": [0.95, 0.05]}, {"in/e.txt": "none"})


@pytest.mark.parametrize("text", ["test", "test/", "s3://scones-local-data-123456789012/test"])
def test_a_folder_of_the_bucket_may_be_named_either_way(text: str) -> None:
    assert folder_of(text, make_stack()).strip("/") == "test"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "say which folder"),
        ("s3://scones-local-data-123456789012/", "say which folder"),
        ("s3://x/y", "must lie in"),
    ],
)
def test_another_place_is_refused(text: str, line: str) -> None:
    with pytest.raises(BatchError, match=line):
        folder_of(text, make_stack())


def test_the_file_has_a_line_for_each_answer() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(ANSWERS, ("bicycle", "motorcycle")))))
    assert [row["key"] for row in rows] == list(ANSWERS.probabilities)
    assert rows[1] == {
        "key": "in/c.png",
        "class": "motorcycle",
        "confidence": "0.6",
        "bicycle": "0.4",
        "motorcycle": "0.6",
    }


def test_the_table_counts_the_classes_and_names_what_failed() -> None:
    # WHEN
    lines = list(summary(ANSWERS, make_stack()))

    # THEN
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["bicycle", "2", "66.7%", "2"]
    assert lines[2].split() == ["motorcycle", "1", "33.3%", "0"]
    assert lines[-1].strip() == "in/e.txt"


def test_a_missing_answer_is_an_error() -> None:
    with pytest.raises(BatchError, match=r"1 of 4 objects have no answer, first in/e\.txt: none"):
        check_complete(ANSWERS)
    check_complete(Answers(ANSWERS.probabilities, {}))
