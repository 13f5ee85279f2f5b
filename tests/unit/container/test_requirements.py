"""What a job installs on AWS is what was tried here."""

import re
from importlib.metadata import version

import pytest

from tests.unit.container.jobs import CONTAINER

FILES = ("requirements.txt", "serving/requirements.txt")
LINES = [
    (file, line)
    for file in FILES
    for line in (CONTAINER / file).read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("file", "line"), LINES)
def test_each_requirement_allows_the_version_that_is_tested(file: str, line: str) -> None:
    # an emulated job runs offline: pip must find every requirement satisfied
    name, relation, wanted = re.fullmatch(r"([\w-]+)(==|>=)([\d.]+)", line).groups()  # type: ignore[union-attr]
    have, want = ([int(part) for part in text.split(".")[:3]] for text in (version(name), wanted))
    assert have == want if relation == "==" else have >= want
