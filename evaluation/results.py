"""What `run`, `evaluate`, `monitor` and `report` leave for each other below `build/<environment>/`."""

from pathlib import Path
from typing import TypedDict, cast

from common.files import StepMissingError, read_json

FILES = {
    "train": "training.json",
    "run": "run.json",
    "evaluate": "evaluation.json",
    "monitor": "monitoring.json",
}


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


def read_run(directory: Path) -> Run:
    """The last run.

    Raises
    ------
    StepMissingError
        There is none, or its file is broken or another version's.
    """
    path = directory / FILES["run"]
    content = read_json(path, "run")
    if missing := sorted(Run.__required_keys__ - set(content)):
        raise StepMissingError(f"{path} has no {missing[0]}: run `{make('run', directory)}` again")
    return cast(Run, content)


def make(target: str, directory: Path) -> str:
    """The command that runs a target for the environment whose files lie in `directory`."""
    return f"make {target} ENV={directory.name}"


def is_drawn(source: str) -> bool:
    """Whether a source's line says that the project drew the images itself (`staging.source` words it)."""
    return source.startswith("sample")
