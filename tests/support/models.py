"""Register models of the test server, and select one for deployment."""

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
    name = f"{stack.approved_model_path}/model-package-arn"
    account.client("ssm", stack.region).put_parameter(Name=name, Value=model, Type="String", Overwrite=True)
