"""Classify every test image with the state machine, and write the executions to `run.json`."""

from datetime import UTC, datetime

from botocore.config import Config

from common import aws
from common.files import RESULT_FILES, write_json
from evaluation.executions import (
    CONCURRENT_EXECUTIONS,
    Run,
    check_outcomes,
    execute_all,
    history_figures,
    require_endpoint,
    summary,
)
from evaluation.labelled_images import read_test_images
from registry.endpoint import deployed_model_package
from registry.model_registry import version_number
from scripts.command.environment import Environment, check_deployed_classes
from scripts.command.runner import run_command

CLIENT_CONFIG = Config(
    retries={"mode": "adaptive", "total_max_attempts": 10}, max_pool_connections=CONCURRENT_EXECUTIONS
)


def main(environment: Environment) -> None:
    """Classify all test images, write `run.json` and print a table of outcomes.

    Raises
    ------
    OperatorError
        No test images are staged, the images or the model have other classes than the stack, the endpoint does not
        serve the deployed model, or an execution did not end in time or failed for another reason than a confidence
        below the threshold. `run.json` is written if executions were started.
    """
    stack, sagemaker = environment.stack, environment.client("sagemaker")
    images = read_test_images(
        stack.bucket, classes=stack.classes, environment=environment.name, s3=environment.client("s3")
    )
    require_endpoint(stack.endpoint_name, stack.endpoint_config_name, environment=environment.name, sagemaker=sagemaker)
    package = deployed_model_package(stack.endpoint_name, sagemaker=sagemaker)
    if package:
        check_deployed_classes(environment, package)
    print(f"source: {images.source}")
    states = aws.client("stepfunctions", stack.region, config=CLIENT_CONFIG)
    started = datetime.now(UTC)
    executions = execute_all(stack.state_machine_arn, stack.bucket, list(images.labels), states=states)
    run = Run(
        source=images.source,
        synthetic=images.synthetic,
        images=images.fingerprint,
        state_machine_arn=stack.state_machine_arn,
        endpoint=stack.endpoint_name,
        endpoint_config=str(stack.endpoint_config_name),
        model_package_arn=package,
        threshold=stack.threshold,
        classes=list(stack.classes),
        started=started.isoformat(),
        finished=datetime.now(UTC).isoformat(),
        executions=executions,
    )
    path = environment.directory / RESULT_FILES["run"]
    write_json(path, run)
    print("\n".join(summary(executions)))
    model = f"v{version_number(package)}" if package else None
    environment.append_history("run", history_figures(executions, images.labels), model=model)
    print(path)
    check_outcomes(executions)


if __name__ == "__main__":
    run_command(main, __doc__)
