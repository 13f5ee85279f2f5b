"""Show which statistics of live traffic differ from the model's baseline: confidence, classes, images or embeddings.

The command reads the results that drift jobs wrote in the last seven days. SINCE and UNTIL select another time range:
a duration such as 24h or 7d, or a time in UTC such as 2026-03-01 or 2026-03-01T12:00. RUN=1 first starts a drift job,
and waits until the job has ended.
"""

import argparse

from common.files import RESULT_FILES, explain_missing_result, write_json
from evaluation.data_drift import follow_job, read_drift, start_job, summary, write_figures
from scripts.command.environment import Environment
from scripts.command.parser import add_time_range
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the time range, and the option `--run`."""
    add_time_range(parser)
    parser.add_argument("--run", action="store_true", help="start a drift job first, and wait until it has ended")


def main(environment: Environment) -> None:
    """Read the results, draw figures of the newest result, write `drift.json` and print a summary.

    Raises
    ------
    OperatorError
        The time range is invalid, there is no result, or the job cannot be started or failed.
    """
    if environment.options.run:
        sagemaker = environment.client("sagemaker")
        name = start_job(environment.stack.drift_job, environment=environment.name, sagemaker=sagemaker)
        follow_job(name, sagemaker=sagemaker)
    window = environment.window
    entries = environment.history.read("drift", window.start)
    path = environment.directory / RESULT_FILES["data-drift"]
    with explain_missing_result(environment.directory, "data-drift"):
        drift = read_drift(
            [each for each in entries if each["written"] < window.end.isoformat()], environment=environment.name
        )
    write_figures(drift, environment.directory)
    write_json(path, drift)
    print("\n".join(summary(drift, environment.name)))
    print(path)


if __name__ == "__main__":
    run_command(main, __doc__, options)
