"""Installation of all emulated services into moto."""

from sagelocal.core.emulator import Emulator
from sagelocal.services import (
    applicationautoscaling,
    awslambda,
    budgets,
    cloudwatch,
    dynamodb,
    ec2,
    events,
    iam,
    logs,
    s3,
    sagemaker,
    scheduler,
    sqs,
    stepfunctions,
)

SERVICES = (
    awslambda,
    stepfunctions,
    sagemaker,
    applicationautoscaling,
    budgets,
    cloudwatch,
    dynamodb,
    ec2,
    events,
    iam,
    logs,
    s3,
    scheduler,
    sqs,
)


def install(emulator: Emulator) -> None:
    """Install every service, in the order of `SERVICES`."""
    for service in SERVICES:
        service.install(emulator)
