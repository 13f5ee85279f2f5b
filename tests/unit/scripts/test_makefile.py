"""The Makefile passes each variable to its command unchanged, and does not execute what a value contains."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()
VALUE = """-x it's a;touch broken $HOME $(touch broken) `touch broken` a "b" && touch broken | > broken * #"""
# Variables that are set by the make process or the workflow that runs the tests
INHERITED = {"GITHUB_STEP_SUMMARY", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
# For each variable, a target that uses it, and the option that passes it to the command
OPTIONS = {
    "ALGORITHM": ("train", "--algorithm"),
    "AUDIT": ("select", "--audit"),
    "BURST": ("traffic", "--burst"),
    "CONFIRM": ("down", "--confirm"),
    "EXECUTION": ("lineage", "--execution"),
    "FORMAT": ("stage", "--format"),
    "HOURS": ("extend", "--hours"),
    "ID": ("execution", "--id"),
    "IMAGE": ("classify", "--image"),
    "INTERVAL": ("watch", "--interval"),
    "INPUT": ("transform", "--input"),
    "JOBS": ("tune", "--jobs"),
    "KEYS": ("batch", "--keys"),
    "LABELS": ("review-csv", "--labels"),
    "MANIFEST": ("batch", "--manifest"),
    "MODEL": ("monitor", "--model"),
    "PARALLEL": ("tune", "--parallel"),
    "PRECISION": ("evaluate", "--precision"),
    "PREFIX": ("batch", "--prefix"),
    "RATE": ("traffic", "--rate"),
    "REASON": ("reject", "--reason"),
    "REPOSITORY": ("bootstrap", "--repository"),
    "RESUME": ("batch", "--resume"),
    "REVIEWER": ("review", "--reviewer"),
    "SECONDS": ("traffic", "--seconds"),
    "SEED": ("traffic", "--seed"),
    "SET": ("train", "--set"),
    "SINCE": ("monitor", "--since"),
    "SHIFT": ("traffic", "--shift"),
    "SOURCE": ("stage", "--source"),
    "UNTIL": ("monitor", "--until"),
    "VALUE": ("threshold", "--value"),
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment whose Python prints its arguments as JSON."""
    directory = tmp_path_factory.mktemp("venv")
    (directory / "bin").mkdir()
    python = directory / "bin" / "python"
    python.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    python.chmod(0o755)
    return directory


def make(environment: Path, directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run make with ENV=dev, as if all dependencies were installed."""
    return subprocess.run(
        [
            "make",
            "-f",
            ROOT / "Makefile",
            f"VENV={environment}",
            "ENV=dev",
            "-o",
            f"{environment}/.installed",
            *arguments,
        ],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if name not in INHERITED},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the files that make needs and the functions' zip archives, so that make builds nothing."""
    (tmp_path / "terraform").symlink_to(ROOT / "terraform")
    (tmp_path / "lambdas").symlink_to(ROOT / "lambdas")
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    packages = tmp_path / "build" / "lambdas"
    packages.mkdir(parents=True)
    for name in ("serialize", "classify", "filter", "classify_batch", "summarize"):
        (packages / f"{name}.zip").touch()
    return tmp_path


def test_every_variable_in_the_makefile_that_becomes_an_option_is_quoted_and_tested_here() -> None:
    assert set(re.findall(r"\$\(call (?:quote|option,--[a-z]+),([A-Z]+)\)", MAKEFILE)) == {*OPTIONS, "PYTHON"} - {"SET"}
    assert not re.search(rf"\$\(({'|'.join(OPTIONS)})\)", MAKEFILE)


@pytest.mark.parametrize("name", OPTIONS)
def test_value_of_a_variable_is_passed_to_the_command_unchanged(environment: Path, directory: Path, name: str) -> None:
    # GIVEN
    target, option = OPTIONS[name]

    # WHEN
    result = make(environment, directory, target, f"{name}={VALUE}")

    # THEN
    assert result.returncode == 0, result.stderr
    assert f"{option}={VALUE}" in json.loads(result.stdout.splitlines()[-1])
    assert not (directory / "broken").exists()


def test_epochs_and_pretrained_are_added_to_the_hyperparameters_in_set(environment: Path, directory: Path) -> None:
    # WHEN
    result = make(environment, directory, "train", "SET=seed=1 learning_rate=0.1", "EPOCHS=3;x", "PRETRAINED=it's")

    # THEN
    assert "--set=seed=1 learning_rate=0.1 epochs=3;x pretrained=it's" in json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("target", "name"), [("train", "PRETRAIN"), ("stage", "PRETRAIN"), ("lineage", "VERIFY"), ("watch", "ONCE")]
)
def test_boolean_variable_accepts_0_and_1_and_refuses_other_values(
    environment: Path, directory: Path, target: str, name: str
) -> None:
    on, off = (make(environment, directory, target, f"{name}={value}").stdout for value in ("1", "0"))
    assert re.search(r"--(pretrain|other-classes|verify|once)", on)
    assert not re.search(r"--(pretrain|other-classes|verify|once)", off)

    refused = make(environment, directory, target, f"{name}=off")
    assert refused.returncode == 2
    assert f"{name} must be 0 or 1 (got 'off')" in refused.stderr


@pytest.mark.parametrize("value", ["", "*", "%", "dev prod", "test", "it's", "../environments/dev"])
def test_error_names_an_unknown_environment(environment: Path, directory: Path, value: str) -> None:
    # WHEN
    result = make(environment, directory, "models", f"ENV={value}")

    # THEN
    assert result.returncode == 2
    assert f"ENV must be one of dev local prod, such as ENV=local (got '{value}')" in result.stderr
