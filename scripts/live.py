"""Evaluate live traffic with labels that were added later, and set the confidence threshold.

evaluate   print accuracy, confusion matrix, calibration, coverage and confident mistakes of labelled captures, and the
           threshold for PRECISION
threshold  write the threshold into the environment's settings: VALUE, or the smallest threshold with PRECISION

Labels are the answers of `make review`, and the files *.csv and *.jsonl below labels/ in the bucket. The command reads
the captures of the deployed model from the last seven days. SINCE and UNTIL select another time range, and MODEL
selects another version.
"""

import argparse
import textwrap

from common.errors import OperatorError
from common.files import RESULT_FILES, NoResultError, explain_missing_result, write_json
from common.terminal import WIDTH
from deployment.settings import write_number
from evaluation.capture_location import read_captures
from evaluation.live.evaluation import SIMPLE_SAMPLE, LiveData, evaluate_live, join_labels, recommend
from evaluation.live.labels import read_labels
from evaluation.live.live_summary import history_figures, summary, write_figures
from evaluation.live.previous_model import PreviousModel, load_previous_model
from evaluation.live.sampling import sample_of
from scripts.command.captures import check_model, find_location
from scripts.command.environment import Environment
from scripts.command.parser import add_model, add_time_range, proportion
from scripts.command.runner import run_command


def evaluate(environment: Environment) -> None:
    """Evaluate the labelled captures, write `live.json` and figures, and print a summary.

    Raises
    ------
    OperatorError
        The time range is invalid, no model is deployed, the model was trained on other classes, or the time range has
        no captures of the model.
    """
    path = environment.directory / RESULT_FILES["live"]
    with explain_missing_result(environment.directory, "live"):
        data = read_data(environment)
    live = evaluate_live(
        data,
        precision=environment.options.precision,
        previous=previous_model(environment, data.location.model),
        environment=environment.name,
    )
    write_figures(live, environment.directory)
    write_json(path, live)
    print("\n".join(summary(live, environment.name)))
    environment.append_history("live", history_figures(live), model=live["model"], window=environment.window)
    print(path)


def previous_model(environment: Environment, model: str) -> PreviousModel | str:
    """Return the model that was in use before `model`, or the reason why the two cannot be compared."""
    try:
        return load_previous_model(
            environment.model_registry, model, environment.stack.classes, s3=environment.client("s3")
        )
    except OperatorError as error:
        return str(error)


def threshold(environment: Environment) -> None:
    """Write the threshold, and print the old and the new value.

    Raises
    ------
    OperatorError
        Neither or both of PRECISION and VALUE are given, there are too few labels, or no threshold reaches PRECISION.
    """
    precision, value = environment.options.precision, environment.options.value
    if (precision is None) == (value is None):
        raise OperatorError("set PRECISION or VALUE, such as PRECISION=0.98 or VALUE=0.9, and not both")
    new = recommended(environment, precision) if value is None else value
    old = write_number(environment.name, "threshold", new)
    print(f"terraform/environments/{environment.name}.tfvars: threshold was {old:g}, is now {new:g}")
    print(f"run `make up ENV={environment.name}` to apply it")


def recommended(environment: Environment, precision: float) -> float:
    """Return the smallest threshold whose precision on labelled captures is at least `precision`.

    Raises
    ------
    OperatorError
        There are too few labels, or no threshold reaches the precision.
    """
    data = read_data(environment)
    advice = f"label more images (`make select review ENV={environment.name}`), or set VALUE"
    if not data.joined.images:
        raise OperatorError(f"no captured image {environment.window} is labelled: {advice}")
    found = recommend(data, precision)
    if found["threshold"] is None:
        raise OperatorError(f"no threshold reaches a precision of {precision:g} {environment.window}: {advice}")
    if not found["is_supported"]:
        n = found["precision"]["n"] if found["precision"] else 0
        raise OperatorError(
            f"{n} labelled images at or above the threshold {found['threshold']:g} are too few for a precision of "
            f"{precision:g}, which needs {found['needed']}: {advice}"
        )
    if sample_of(data.joined.images, data.captures, data.threshold) is None:
        print("\n".join(textwrap.wrap(SIMPLE_SAMPLE, WIDTH)))
    return found["threshold"]


def read_data(environment: Environment) -> LiveData:
    """Return a model's captures of the time range with their labels.

    Raises
    ------
    OperatorError
        The endpoint captures no data, the model was trained on other classes, or the time range has no captures of the
        model.
    """
    stack, s3 = environment.stack, environment.client("s3")
    location = find_location(environment, environment.options.model) if stack.data_capture_enabled else None
    if location is None:
        raise NoResultError(
            f"{stack.endpoint_name} captures no data: set capture_percentage in "
            f"terraform/environments/{environment.name}.tfvars, then run `make deploy ENV={environment.name}`"
        )
    check_model(environment, location)
    print(f"records {environment.window} (SINCE, UNTIL select another time range)")
    captures, _ = read_captures(
        location, environment.window, classes=len(stack.classes), run=None, environment=environment.name, s3=s3
    )
    labels = read_labels(stack.bucket, stack.labels_prefix, stack.classes, s3=s3)
    return join_labels(captures, location, labels, classes=stack.classes, threshold=stack.threshold)


ACTIONS = {"evaluate": evaluate, "threshold": threshold}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the action, and the options for the time range, the model's version, the precision and the threshold."""
    parser.add_argument("action", choices=ACTIONS)
    add_time_range(parser)
    add_model(parser)
    parser.add_argument(
        "--precision",
        type=proportion(0.98, below_one=True),
        help="precision to reach at or above the threshold, e.g. 0.98",
    )
    parser.add_argument("--value", type=proportion(0.9, below_one=True), help="threshold to set, e.g. 0.9")


def main(environment: Environment) -> None:
    """Run the chosen action."""
    ACTIONS[environment.options.action](environment)


if __name__ == "__main__":
    run_command(main, __doc__, options)
