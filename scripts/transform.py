"""Classify every image below an S3 prefix with the model in use, and write the predictions to transform.csv.

INPUT is a folder in the environment's bucket, such as `test` or `s3://bucket/test/`.
"""

import argparse

from common.errors import OperatorError
from common.files import write
from common.terminal import counted
from registry.batch_transform import parse_prefix, prepare_job, run_job
from registry.model_registry import version_number
from registry.predictions import check_complete, summarize, to_csv
from scripts.command.environment import Environment, check_deployed_classes
from scripts.command.runner import run_command

FILE = "transform.csv"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the option `--input`."""
    parser.add_argument("--input", required=True, help="a folder in the environment's bucket")


def main(environment: Environment) -> None:
    """Run a batch transform job, write `transform.csv`, and print a summary.

    Raises
    ------
    OperatorError
        No model is in use, there are no images, SageMaker refused the job, or some images have no prediction. In the
        last case, `transform.csv` contains the predictions of the other images and the reason for each failure.
    """
    stack = environment.stack
    prefix = parse_prefix(environment.options.input, stack.bucket)
    model = environment.model_registry.arn_in_use()
    if model is None:
        raise OperatorError(f"no model is in use: run `make train ENV={environment.name}`")
    sagemaker, s3 = environment.client("sagemaker"), environment.client("s3")
    check_deployed_classes(environment, model)
    job = prepare_job(environment.transform_config, prefix, s3=s3)
    print(f"transform job {job.name} with model v{version_number(model)}")
    print(f"{counted(len(job.keys), 'object')} below s3://{stack.bucket}/{job.prefix}")
    predictions = run_job(
        job, model, class_count=len(stack.classes), sagemaker=sagemaker, s3=s3, logs=environment.client("logs")
    )
    path = environment.directory / FILE
    write(path, to_csv(predictions, stack.classes).encode())
    print("\n".join(summarize(predictions, stack.classes, stack.threshold)))
    print(path)
    check_complete(predictions, path)


if __name__ == "__main__":
    run_command(main, __doc__, options)
