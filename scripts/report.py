"""Combine all results in one HTML page, `report.html`, which loads no other files.

SINCE and UNTIL select the time range of executions, costs and trends. The other sections show the latest results of the
commands that produce them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from common.errors import OperatorError
from common.files import write
from common.names import stack_name
from common.times import TimeRangeError, Window
from deployment.cost import read_prices
from deployment.settings import read_settings
from deployment.window_cost import window_cost
from evaluation.execution_metrics import Outcomes, read_outcomes
from evaluation.history import Entry, Kind
from evaluation.report.page import render
from evaluation.report.results import Cost, Reader
from registry import lineage
from registry.endpoint import deployed_model_package
from registry.model_registry import find_version, version_number
from scripts.command.environment import Environment
from scripts.command.parser import add_time_range
from scripts.command.runner import run_command

FILE = "report.html"
WINDOW_FIELDS = ("outcomes", "cost", "history")  # fields of `Results` that need the time range
# Kinds of history entries. The kinds in PER_VERSION have few entries for each model version, so without SINCE the
# report shows their entries from all times
PER_VERSION: tuple[Kind, ...] = ("training", "run", "live")
PER_TIME_RANGE: tuple[Kind, ...] = ("monitoring", "drift")


def main(environment: Environment) -> None:
    """Write the page and print its path.

    Raises
    ------
    StepMissingError
        There is no result to report.
    TimeRangeError
        SINCE or UNTIL is invalid. The page is written, without the sections that need the time range.
    """
    reader = Reader()
    reader.read_files(environment.directory)
    reader.read("minimum_accuracy", lambda: read_settings(environment.name)["minimum_accuracy"])
    invalid = read_services(environment, reader)
    path = environment.directory / FILE
    write(path, render(reader.results(environment.name), written=datetime.now(UTC)).encode(errors="replace"))
    print(path.resolve())
    if invalid:
        raise invalid


def read_services(environment: Environment, reader: Reader) -> TimeRangeError | None:
    """Read the fields of the report that come from AWS services.

    If the time range is invalid, return the error, and do not read the fields that need the time range.
    """
    try:
        _ = environment.stack
    except OperatorError as error:
        reader.fail(("lineage", *WINDOW_FIELDS), error)
        return None
    reader.read("in_use", lambda: model_in_use(environment))
    reader.read("lineage", lambda: list(model_lineage(environment)))
    try:
        window = environment.window
    except TimeRangeError as error:
        reader.fail(WINDOW_FIELDS, error)
        return error
    reader.fields |= {"start": window.start.isoformat(), "end": min(window.end, datetime.now(UTC)).isoformat()}
    reader.read("outcomes", lambda: outcomes(environment, window))
    reader.read("cost", lambda: cost(environment, window, reader.fields.get("outcomes")))
    reader.read("history", lambda: history(environment, window))
    return None


def served_model(environment: Environment) -> str | None:
    """Return the ARN of the model version that the endpoint serves, or of the one that the next deployment will serve.

    Return None if there is neither an endpoint nor an approved version.
    """
    endpoint = environment.stack.endpoint_name
    served = deployed_model_package(endpoint, sagemaker=environment.client("sagemaker"))
    return served or environment.model_registry.arn_in_use()


def model_in_use(environment: Environment) -> str | None:
    """Return the version of the served model, such as `v2`, or None if `served_model` returns None."""
    arn = served_model(environment)
    return f"v{version_number(arn)}" if arn else None


def model_lineage(environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield the rows of the lineage of the served model; yield nothing if `served_model` returns None."""
    registry = environment.model_registry
    if (in_use := served_model(environment)) is None:
        return
    if (planned := registry.arn_in_use()) and planned != in_use:
        yield "next model", f"v{version_number(planned)}, after `make deploy ENV={environment.name}`"
    version = find_version(registry.versions(), in_use)
    job = environment.client("sagemaker").describe_training_job(TrainingJobName=version.properties["training_job"])
    manifest = lineage.read_training_manifest(version, s3=environment.client("s3"))
    yield from lineage.model_rows(version, in_use=True)
    yield from lineage.job_rows(job, version)
    yield from lineage.data_rows(manifest, version)


def outcomes(environment: Environment, window: Window) -> Outcomes:
    """Return the outcomes of the executions in the time range."""
    return read_outcomes(
        environment.stack.state_machine_arn,
        stack_name(environment.name),
        window.start,
        window.end,
        cloudwatch=environment.client("cloudwatch"),
    )


def history(environment: Environment, window: Window) -> list[Entry]:
    """Return the history entries of the time range; without SINCE, also earlier entries of the kinds in PER_VERSION."""
    since = window.start if environment.options.since else None
    starts: dict[Kind, datetime | None] = {
        **dict.fromkeys(PER_VERSION, since),
        **dict.fromkeys(PER_TIME_RANGE, window.start),
    }
    entries = [entry for kind, start in starts.items() for entry in environment.history.read(kind, start)]
    return [entry for entry in entries if datetime.fromisoformat(entry["written"]) < window.end]


def cost(environment: Environment, window: Window, known: Outcomes | None) -> Cost:
    """Return the estimated costs of the time range.

    Parameters
    ----------
    known : outcomes of the executions in the time range; None if they could not be read

    Raises
    ------
    OperatorError
        There are no prices for the environment's region.
    """
    prices = read_prices()
    prices.check_region(environment.stack.region)
    return window_cost(
        environment.name,
        environment.stack.endpoint_name,
        window.start,
        window.end,
        images=known.classified if known else None,
        prices=prices,
        sagemaker=environment.client("sagemaker"),
    )


if __name__ == "__main__":
    run_command(main, __doc__, add_time_range)
