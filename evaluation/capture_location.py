"""Find the captured data of one model, and read it when all expected records have arrived."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import OperatorError
from common.files import NoResultError
from common.terminal import counted, progress_bar
from common.times import Window
from evaluation.capture_table import Captures
from evaluation.captures import count_other_requests
from evaluation.executions import Run
from registry.endpoint import describe_endpoint, describe_endpoint_config

MAX_DELAY = timedelta(minutes=5)  # how long after the end of a run its records may still be captured
POLL_SECONDS = (0.5, 10.0)  # first and longest interval between two polls


@dataclass(frozen=True)
class CaptureLocation:
    """Where the endpoint's data capture writes the records of one model.

    Terraform gives each model's endpoint configuration a destination that ends in the model's version, so each model
    has its own folder.

    Attributes
    ----------
    parent_uri : S3 URI of the folder that contains a folder for each model
    model : model version, such as `v3`, which is also the name of the model's folder
    endpoint : name of the endpoint
    endpoint_config : name of the endpoint configuration of the model; None if the model is not the deployed one
    is_complete : whether all requests are captured; False if only a sample is captured, or if this is not known
    """

    parent_uri: str
    model: str
    endpoint: str
    endpoint_config: str | None
    is_complete: bool

    @property
    def is_deployed(self) -> bool:
        """Whether the model is the deployed one."""
        return self.endpoint_config is not None

    @property
    def uri(self) -> str:
        """S3 URI of the folder that contains the model's records."""
        return f"{self.parent_uri}/{self.model}"

    def of_model(self, version: str) -> "CaptureLocation":
        """Return the location for a version of the model, such as `3` or `v3`."""
        model = f"v{version.removeprefix('v')}"
        return self if model == self.model else replace(self, model=model, endpoint_config=None, is_complete=False)


def find_captures(
    endpoint: str, config: str | None, parent_uri: str, *, environment: str, sagemaker: Any
) -> CaptureLocation | None:
    """Return the location of the captured data of the deployed model, or None if the endpoint captures no data.

    Parameters
    ----------
    endpoint : name of the endpoint
    config : name of the configuration that Terraform deployed, which is used if the endpoint does not exist now
    parent_uri : S3 URI of the folder that contains a folder for each model

    Raises
    ------
    OperatorError
        No model is deployed.
    """
    live = describe_endpoint(endpoint, sagemaker=sagemaker)
    name = live["EndpointConfigName"] if live else config
    described = describe_endpoint_config(name, sagemaker=sagemaker) if name else None
    if name is None or described is None:
        raise OperatorError(f"no model is deployed: run `make deploy ENV={environment}`")
    capture = described.get("DataCaptureConfig") or {}
    if not capture.get("EnableCapture"):
        return None
    model = capture["DestinationS3Uri"].removeprefix(f"{parent_uri}/")
    return CaptureLocation(parent_uri, model, endpoint, name, capture["InitialSamplingPercentage"] == 100)


def read_captures(
    location: CaptureLocation, window: Window, *, classes: int, run: Run | None, environment: str, s3: Any
) -> tuple[Captures, int]:
    """Return the captures of one model in a time range, and the number of captured requests to other models.

    If all requests are captured, and `run` used the same endpoint configuration and is inside the time range, wait for
    the records of `run`.

    Parameters
    ----------
    classes : number of probabilities in each prediction
    run : the last run; None if there is none

    Raises
    ------
    NoResultError
        There are no records of the model.
    """
    captures = Captures(window)

    def read() -> None:
        captures.read_new_files(location.uri, location.endpoint, classes=classes, s3=s3)

    read()
    is_expected = location.is_complete and run is not None and run["endpoint_config"] == location.endpoint_config
    if run and is_expected and started(run) in window and datetime.fromisoformat(run["finished"]) in window:
        wait_for_records(run, captures, read)
    others = count_other_requests(location.parent_uri, location.endpoint, location.model, window, s3=s3)
    if not len(captures):
        malformed = ""
        if captures.malformed:
            first = captures.malformed_lines[0]
            malformed = f", only {counted(captures.malformed, 'malformed line')}, the first one in {first}"
        raise NoResultError(
            f"no captured records of model {location.model} {window} in {location.uri}/{location.endpoint}/{malformed} "
            f"({counted(others, 'request')} to other models): {_advice(location, window, environment)}"
        )
    return captures, others


def _advice(location: CaptureLocation, window: Window, environment: str) -> str:
    """Return the advice for a time range without records. `make run` adds records of the deployed model."""
    if not location.is_deployed:
        return "choose another MODEL, or an earlier SINCE such as 30d"
    if datetime.now(UTC) not in window:
        return "choose another SINCE or UNTIL"
    return f"run `make run ENV={environment}`, or choose an earlier SINCE such as 30d"


def started(run: Run) -> datetime:
    """Return the start of a run without fractions of a second, which captured times do not have."""
    return datetime.fromisoformat(run["started"]).replace(microsecond=0)


def wait_for_records(
    run: Run,
    captures: Captures,
    read: Callable[[], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Wait until every prediction of the run is captured, at most until `MAX_DELAY` after the run.

    Only records of the run's images are counted, because the endpoint may have other callers during the run. The images
    are recognised by their keys alone: the inference ID of a large image also contains the object's version ID, which
    `run` does not contain.

    Parameters
    ----------
    read : function that adds new capture files to `captures`
    """
    deadline = datetime.fromisoformat(run["finished"]) + MAX_DELAY
    keys = {execution["s3_key"] for execution in run["executions"] if execution["inferences"] is not None}
    expected = len(keys)

    def count() -> int:
        return captures.count_keys_since(keys, started(run))

    interval, longest = POLL_SECONDS
    with progress_bar(total=expected, desc="captured", unit="record", leave=False) as bar:
        bar.update(count())
        while count() < expected and now() < deadline:
            sleep(interval)
            interval = min(interval * 1.5, longest)
            read()
            bar.update(count() - bar.n)
    if (captured := count()) < expected:
        minutes = MAX_DELAY.total_seconds() / 60
        print(
            f"only {captured} of {expected} predictions of the last run are captured, although it ended at least "
            f"{minutes:g} minutes ago"
        )
