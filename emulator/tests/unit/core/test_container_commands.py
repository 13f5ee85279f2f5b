"""The images file, which maps container images to the commands that run in their place."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sagelocal.core.container_commands import Images
from sagelocal.core.errors import SagelocalError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the images file."""
    return tmp_path / "images.json"


def test_pattern_must_match_the_whole_image_uri(file: Path) -> None:
    # GIVEN
    file.write_text(json.dumps({r".*/pytorch:\d": {"serve": ["{python}", "-m", "server"], "train": ["train"]}}))
    # WHEN
    images = Images.load(file)
    # THEN
    assert images.command("host/pytorch:1", "serve") == [sys.executable, "-m", "server"]
    assert images.command("host/pytorch:1", "train") == ["train"]
    assert images.command("host/pytorch:10", "serve") is None


def test_first_matching_pattern_that_has_the_mode_is_used(file: Path) -> None:
    # GIVEN
    file.write_text(json.dumps({"a": {"train": ["first"]}, "a|b": {"train": ["second"], "serve": ["third"]}}))
    # WHEN
    images = Images.load(file)
    # THEN
    assert (images.command("a", "train"), images.command("a", "serve")) == (["first"], ["third"])


def test_no_image_has_a_command_without_an_images_file() -> None:
    # THEN
    assert Images.load(None).command("any", "train") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read images file .*: No such file"),
        ("{", "is not valid JSON"),
        ([], "must contain a JSON object"),
        ({"(": {"train": ["x"]}}, "'\\('.*is not a valid regular expression"),
        ({"a": {"run": ["x"]}}, "'a' must map `train`, `serve` or `process` to a command"),
        ({"a": {}}, "'a' must map"),
        ({"a": {"train": "x"}}, "each command of 'a' must be a list of strings"),
        ({"a": {"train": []}}, "each command of 'a' must be a list of strings"),
    ],
    ids=[
        "missing",
        "invalid JSON",
        "not an object",
        "invalid pattern",
        "unknown mode",
        "no mode",
        "not a list",
        "empty command",
    ],
)
def test_invalid_file_is_reported_in_one_line(file: Path, content: Any, reason: str) -> None:
    # GIVEN
    if content is not None:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    # WHEN
    with pytest.raises(SagelocalError, match=reason) as caught:
        Images.load(file)
    # THEN
    assert "\n" not in str(caught.value)
