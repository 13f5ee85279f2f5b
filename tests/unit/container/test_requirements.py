"""The containers' requirements allow the installed versions, with which the tests run."""

import re
from importlib.metadata import version

import pytest

from tests.unit.container.jobs import CONTAINER

FILES = ("requirements.txt", "serving-requirements.txt")
LINES = [
    (file, line)
    for file in FILES
    for line in (CONTAINER / file).read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("file", "line"), LINES)
def test_requirement_allows_the_installed_version(file: str, line: str) -> None:
    # an emulated job runs offline, so pip must find every requirement satisfied
    name, operator, required = re.fullmatch(r"([\w-]+)(==|>=)([\d.]+)", line).groups()  # type: ignore[union-attr]
    installed, wanted = ([int(part) for part in text.split(".")[:3]] for text in (version(name), required))
    assert installed == wanted if operator == "==" else installed >= wanted
