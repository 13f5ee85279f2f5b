"""What the targets leave for each other below `build/<environment>/`, one JSON file each."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from scripts.terraform import OperatorError

FILES = {
    "train": "training.json",
    "run": "run.json",
    "evaluate": "evaluation.json",
    "monitor": "monitoring.json",
}


class ResultMissingError(OperatorError):
    """A target's file is not there yet."""


class ResultDamagedError(OperatorError):
    """A target's file is not what this version of the target writes."""


class Execution(TypedDict):
    """One image's way through the state machine.

    `inferences` are the probabilities in class order, also of executions that failed after the endpoint's
    answer; None where there was none. `seconds` is from start to end by AWS's clock.
    """

    s3_key: str
    arn: str
    status: str
    error: str | None
    cause: str | None
    inferences: list[float] | None
    seconds: float | None


class Run(TypedDict):
    """`run.json`: all executions, and what they stand on. `images` names the test images and their labels."""

    source: str
    images: str
    state_machine_arn: str
    endpoint: str
    endpoint_config: str
    model_package_arn: str | None
    threshold: float
    classes: list[str]
    started: str
    finished: str
    executions: list[Execution]


def read_result(directory: Path, target: str) -> dict[str, Any]:
    """What `make <target>` wrote.

    Raises
    ------
    ResultMissingError
        It has not been run.
    ResultDamagedError
        The file is no JSON object.
    """
    path = directory / FILES[target]
    again = f"run `{make(target, directory)}`"
    if not path.is_file():
        raise ResultMissingError(f"there is no {path}: {again}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultDamagedError(f"{path} is damaged: {again} again") from error
    if not isinstance(content, dict):
        raise ResultDamagedError(f"{path} is damaged: {again} again")
    return content


def read_run(directory: Path) -> Run:
    """The last run.

    Raises
    ------
    ResultMissingError, ResultDamagedError
        As `read_result`; also where the file is another version's.
    """
    content = read_result(directory, "run")
    if missing := sorted(Run.__required_keys__ - set(content)):
        path = directory / FILES["run"]
        raise ResultDamagedError(f"{path} has no {missing[0]}: run `{make('run', directory)}` again")
    return cast(Run, content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def make(target: str, directory: Path) -> str:
    """The command that runs a target for the environment whose files lie in `directory`."""
    return f"make {target} ENV={directory.name}"


def is_drawn(source: str) -> bool:
    """Whether a source's line says that the project drew the images itself (`staging.source` words it)."""
    return source.startswith("sample")
