"""An error about an option is one line with the value, the allowed values, and an example."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import pytest

from scripts import evaluate, extend, select_images, stage, transform, tune
from scripts.command.runner import run_command
from scripts.command.training_options import add_training_options

Options = Callable[[argparse.ArgumentParser], Any]


def parse(options: Options, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """Parse a command line, and return the options.

    Parameters
    ----------
    options : function that adds a command's options to a parser
    arguments : arguments of the command line
    """
    monkeypatch.setattr(sys, "argv", ["some-command", *arguments])
    parsed: list[argparse.Namespace] = []
    run_command(lambda environment: parsed.append(environment.options), None, options)
    return parsed[0]


WHOLE = "must be a whole number"
PROPORTION = "PRECISION must be a number above 0 and at most 1, such as 0.98"


@pytest.mark.parametrize(
    ("options", "name", "expected", "values"),
    [
        (extend.options, "hours", f"HOURS {WHOLE} between 1 and 168, such as 4", ["", "0", "-1", "x", "1.5", "169"]),
        (tune.options, "jobs", f"JOBS {WHOLE} of at least 1, such as 6", ["", " ", "0", "-2", "x", "it's"]),
        (tune.options, "parallel", f"PARALLEL {WHOLE} of at least 1, such as 2", ["", "0", "-2", "x", "2;ls"]),
        (evaluate.options, "precision", PROPORTION, ["", "0", "-1", "1.01", "98%", "x", "nan", "inf", "it's"]),
        (select_images.options, "audit", "AUDIT must be a number above 0 and at most 1, such as 0.02", ["0", "2", "x"]),
        (stage.options, "format", "FORMAT must be one of images, recordio", ["", "png", "it's"]),
        (add_training_options, "algorithm", "ALGORITHM must be one of pytorch, image-classification", ["", "resnet"]),
        (add_training_options, "env", "ENV must be one of dev, local, prod", ["", "test"]),
    ],
    ids=["hours", "jobs", "parallel", "precision", "audit", "format", "algorithm", "env"],
)
def test_error_names_an_invalid_value_and_the_allowed_values(
    options: Options,
    name: str,
    expected: str,
    values: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for value in values:
        # WHEN
        with pytest.raises(SystemExit) as ended:
            parse(options, f"--{name}={value}", monkeypatch=monkeypatch)

        # THEN
        printed = capsys.readouterr().err
        assert ended.value.code == 2
        assert printed.replace("'", "").startswith(f"error: {expected}")  # Python 3.12 does not quote the choices
        assert f"(got {value!r})" in printed
        assert printed.count("\n") == 1


def test_error_names_a_missing_option(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(transform.options, monkeypatch=monkeypatch)
    assert capsys.readouterr().err == "error: the following arguments are required: --input\n"


def test_tuning_with_one_job_does_not_require_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(tune.options, "--jobs=1", monkeypatch=monkeypatch).parallel is None
