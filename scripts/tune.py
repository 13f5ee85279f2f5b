"""Search hyperparameters in a SageMaker tuning job, and promote its best model as `make train` does.

Hyperparameters that are set keep their values; the job searches the most important others.
"""

import argparse

from registry.promotion import is_registered, promote
from scripts.command import (
    BUILD,
    Environment,
    add_training_options,
    make_training_request,
    run_command,
    whole_number,
)
from training.job_config import parse_settings, upload_packages
from training.tuning import plan_search, tune

JOBS, PARALLEL = 6, 2


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training job and of its search."""
    add_training_options(parser)
    parser.add_argument(
        "--jobs", type=whole_number(JOBS), default=JOBS, help=f"number of training jobs (default: {JOBS})"
    )
    parser.add_argument(
        "--parallel",
        type=whole_number(PARALLEL),
        help=f"training jobs that run at the same time (default: {PARALLEL}, or 1 for one job)",
    )


def main(environment: Environment) -> None:
    """Tune, and promote the best model, unless it is registered.

    Raises
    ------
    OperatorError
        There is nothing to search, the tuning job failed, or the best model was rejected, now or before.
    """
    stack, chosen = environment.stack, environment.options
    request = make_training_request(environment)
    parallel = chosen.parallel or min(PARALLEL, chosen.jobs)
    search = plan_search(request, parse_settings(chosen.settings), jobs=chosen.jobs, parallel=parallel)
    s3 = environment.client("s3")
    upload_packages(request, BUILD / "packages", s3=s3)
    best, job = tune(request, search, sagemaker=environment.client("sagemaker"), s3=s3)
    if not is_registered(environment.model_registry, best.fingerprint):
        promote(
            best,
            job,
            environment.model_registry,
            environment.quality_gate,
            automatic=stack.approval == "automatic",
            directory=environment.directory,
            append_history=environment.append_history,
        )


if __name__ == "__main__":
    run_command(main, __doc__, options)
