"""Ask a registered model about every image below a folder of the bucket, in a batch transform job."""

from datetime import UTC, datetime

import boto3

from common.names import transform_job_prefix
from common.stack import Stack
from registry.batch_transform import Answers, Batch, find_batch, transform


def gather(stack: Stack, prefix: str) -> Batch:
    """What lies below a folder, for a job whose name no other has.

    Raises
    ------
    TransformError
        Nothing does.
    """
    name = f"{transform_job_prefix(stack.environment)}{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    return find_batch(name, stack.bucket, prefix, s3=boto3.client("s3", region_name=stack.region))


def ask(stack: Stack, batch: Batch, model_package_arn: str, *, classes: int) -> Answers:
    """Run the job.

    Parameters
    ----------
    classes : how many the model knows

    Raises
    ------
    TransformError
        SageMaker refuses the job, or it ended without any answer.
    """
    return transform(
        batch,
        container={"ModelPackageName": model_package_arn},
        network=stack.model_network,
        role_arn=stack.transform_role_arn,
        kms_key_arn=stack.kms_key_arn,
        instance_type=stack.transform_instance_type,
        tags=stack.tags,
        classes=classes,
        sagemaker=boto3.client("sagemaker", region_name=stack.region),
        s3=boto3.client("s3", region_name=stack.region),
    )
