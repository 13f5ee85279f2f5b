"""Search hyperparameters in a SageMaker tuning job, and promote the best model as `make train` does.

The hyperparameters that SET names keep their values. The job searches the most important of the other hyperparameters.
"""

import argparse

from registry.promotion import is_registered, promote
from scripts.command.environment import BUILD, Environment
from scripts.command.parser import whole_number
from scripts.command.runner import run_command
from scripts.command.training_options import add_training_options, make_training_request
from training.job_config import parse_settings, upload_packages
from training.tuning import plan_search, tune

JOBS, PARALLEL = 6, 2


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a training job, and those of the hyperparameter search."""
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
    """Run a tuning job, and register and approve its best model unless that model is already registered.

    Raises
    ------
    OperatorError
        There is no hyperparameter to search, the tuning job failed, or the best model was rejected, either now or by an
        earlier command.
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
