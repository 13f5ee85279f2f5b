"""Register models that tests/support/model_server.py serves, and select a model for deployment."""

import json

from common.stack import Stack
from tests.support.emulator import MODEL_SERVER, Emulator
from tests.support.sagemaker import SageMaker


def register(account: Emulator, stack: Stack, response: str) -> str:
    """Register an approved model that returns `response` to every request, and return its ARN."""
    data = SageMaker(account, stack.bucket).put_model_data(response)
    created = account.client("sagemaker", stack.region).create_model_package(
        ModelPackageGroupName=stack.model_package_group,
        InferenceSpecification={
            "Containers": [{"Image": MODEL_SERVER, "ModelDataUrl": data}],
            "SupportedContentTypes": ["image/png"],
        },
        ModelApprovalStatus="Approved",
    )
    arn: str = created["ModelPackageArn"]
    return arn


def approve(account: Emulator, stack: Stack, model: str) -> None:
    """Set the SSM parameter that selects the model for the next `terraform apply`."""
    put_parameter(account, stack, "model-package-arn", model)


def add_baseline(account: Emulator, stack: Stack, model: str) -> None:
    """Set the SSM parameter that says that the model has a baseline, so that Terraform creates a drift job."""
    data = {"model_package_arn": model, "model_data_url": f"s3://{stack.bucket}/models/job/output/model.tar.gz"}
    put_parameter(account, stack, "baseline", json.dumps(data))


def put_parameter(account: Emulator, stack: Stack, name: str, value: str) -> None:
    """Set an SSM parameter below the path that describes the approved model."""
    account.client("ssm", stack.region).put_parameter(
        Name=f"{stack.approved_model_path}/{name}", Value=value, Type="String", Overwrite=True
    )
