"""Terraform evaluates the settings of an environment, and `write_number` changes a number in the settings file."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from deployment import settings
from deployment.settings import SettingsError, read_settings, write_number
from tests.support.project import ROOT


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of an environment `test`, in a directory with a copy of the project's variables."""
    directory = tmp_path / "terraform"
    (directory / "environments").mkdir(parents=True)
    shutil.copy(ROOT / "terraform" / "variables.tf", directory)
    monkeypatch.setattr(settings, "TERRAFORM_DIRECTORY", directory)
    monkeypatch.setattr(settings, "VARIABLES", directory / "variables.tf")
    path = directory / "environments" / "test.tfvars"
    path.write_text('environment = "test"\n')
    return path


def test_settings_come_from_environment_variables_the_file_and_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a settings file with null for a setting that must have a value and for one in which null has a meaning,
    # TF_VAR_ environment variables, and a TF_WORKSPACE that does not exist
    file.write_text(
        'environment = "test"\ndeployment = { canary_percent = 5 }\nthreshold = null\ncapture_retention_days = null\n'
    )
    monkeypatch.setenv("TF_VAR_classes", '["say ${a}", "bus"]'.replace("$", "$$"))
    monkeypatch.setenv("TF_VAR_vpc_cidr", "10.0.0.0/24")
    monkeypatch.setenv("TF_WORKSPACE", "missing")

    # WHEN
    found = read_settings("test")

    # THEN
    assert found["classes"] == ["say ${a}", "bus"]
    assert (found["deployment"]["canary_percent"], found["deployment"]["wait_seconds"]) == (5, 300)
    assert (found["threshold"], found["capture_retention_days"]) == (0.93, None)
    assert (found["vpc_cidr"], found["serverless"]) == ("10.0.0.0/24", None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("treshold = 0.5", r"environments/test.tfvars sets treshold, which is not a setting \(most similar: threshold"),
        ("deployment = { cannary_percent = 5 }", r"deployment.cannary_percent, .*: deployment.canary_percent"),
        ("serverless = { memory = 1 }", 'attributes "max_concurrency" and "memory_size_in_mb" are required'),
        ("threshold = 2", r"^settings of test: threshold must be between 0 and 1 \(got 2\)\.$"),
        ('threshold = "x"', "var.threshold .*: a number is required"),
        ('region = ""', r'region must be an AWS region such as us-east-1 \(got ""\)'),
        ('region = "us-gov-west-1"', r'where AWS Budgets does not exist \(got "us-gov-west-1"\)'),
        ('classes = ["a,b", "c"]', r'without commas and apostrophes, such as bicycle \(got \["a,b","c"\]\)'),
        ('classes = ["it\'s", "c"]', r'without commas and apostrophes, such as bicycle \(got \["it\'s","c"\]\)'),
        ('classes = ["a", null]', r'without commas and apostrophes, such as bicycle \(got \["a",null\]\)'),
        ("classes = [", r"^settings of test, line 3 \(empty\): Missing expression"),
        (
            "threshold = ninety",
            r"test, line 2 \(threshold = ninety\): Variables not allowed .* Write text in quotes: region = \"us-east-1",
        ),
        ("region = us-east-1", r"test, line 2 \(region = us-east-1\): "),
    ],
)
def test_error_names_an_unknown_or_invalid_setting(file: Path, line: str, message: str) -> None:
    # GIVEN
    with file.open("a") as stream:
        stream.write(f"{line}\n")

    # WHEN / THEN
    with pytest.raises(SettingsError, match=message):
        read_settings("test")


@pytest.mark.parametrize(
    ("old", "before", "after"),
    [
        pytest.param(
            0.9,
            'environment = "test"\nthreshold   = 0.9 # chosen in March\n\n# the end\n',
            'environment = "test"\nthreshold   = 0.85 # chosen in March\n\n# the end\n',
            id="replaced, comment kept",
        ),
        pytest.param(
            0.9,
            'environment = "test"\n  threshold=9e-1',
            'environment = "test"\n  threshold=0.85',
            id="unusual formatting",
        ),
        pytest.param(
            0.93,
            'environment = "test"\n# threshold = 0.9\n',
            'environment = "test"\n# threshold = 0.9\n\nthreshold = 0.85\n',
            id="added, because only a comment has it",
        ),
    ],
)
def test_number_is_written_and_the_other_lines_are_not_changed(old: float, before: str, after: str, file: Path) -> None:
    # GIVEN
    file.write_text(before)

    # WHEN / THEN
    assert write_number("test", "threshold", 0.85) == old
    assert file.read_text() == after


def test_line_breaks_of_windows_are_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(
        settings,
        "evaluate",
        lambda _, names, path: (dict.fromkeys(names, 0.85 if "0.85" in path.read_text() else 0.9), []),
    )
    file.write_bytes(b'environment = "test"\r\nthreshold = 0.9 # chosen\r\n')

    # WHEN
    write_number("test", "threshold", 0.85)

    # THEN
    assert file.read_bytes() == b'environment = "test"\r\nthreshold = 0.85 # chosen\r\n'


def test_interrupted_change_does_not_change_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a comment in which a line looks like the setting, and a Ctrl-C while the new content is evaluated
    before = 'environment = "test"\n/*\nthreshold = 0.9\n*/\n'
    file.write_text(before)
    evaluated: list[str] = []

    def evaluate(declarations: str, names: Sequence[str], path: Path) -> tuple[dict[str, object], list[str]]:
        evaluated.append(path.read_text())
        if "0.85" in evaluated[-1]:
            raise KeyboardInterrupt
        return dict.fromkeys(names, 0.93), []

    monkeypatch.setattr(settings, "evaluate", evaluate)

    # WHEN / THEN
    with pytest.raises(KeyboardInterrupt):
        write_number("test", "threshold", 0.85)
    assert file.read_text() == before


def test_number_that_is_written_as_a_string_is_not_changed(file: Path) -> None:
    # GIVEN
    before = 'environment = "test"\nthreshold = "0.9"\n'
    file.write_text(before)

    # WHEN / THEN
    with pytest.raises(SettingsError, match="threshold cannot be changed: write `threshold = 0"):
        write_number("test", "threshold", 0.85)
    assert file.read_text() == before
