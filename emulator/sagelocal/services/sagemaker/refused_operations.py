"""Operations that are refused, because moto or the emulator could only pretend to perform them.

Other operations on the same types of resources, such as Describe, remain as in moto. Their responses are correct:
no such resource exists, because it could not be created.
"""

from typing import Any, NoReturn

from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from sagelocal.core.patching import add, replace

MONITORING = "run a processing job on a schedule of EventBridge Scheduler"
STATE_MACHINE = "run the steps in a Step Functions state machine"
NOTEBOOK = "run the notebook's code on this machine with `sagelocal exec`"
# What the user can do instead of each SageMaker operation, by the name of moto's method
ALTERNATIVES = {
    "create_pipeline": STATE_MACHINE,
    "update_pipeline": STATE_MACHINE,
    "start_pipeline_execution": STATE_MACHINE,
    "create_auto_ml_job": "run a training job or a hyperparameter tuning job",
    "create_auto_ml_job_v2": "run a training job or a hyperparameter tuning job",
    "create_compilation_job": "deploy the model as it is",
    "create_cluster": "run a training job with several instances",
    "create_feature_group": "store the features in S3 or in a DynamoDB table",
    "create_notebook_instance": NOTEBOOK,
    "start_notebook_instance": NOTEBOOK,
    "create_notebook_instance_lifecycle_config": NOTEBOOK,
    "create_domain": NOTEBOOK,
    "create_user_profile": NOTEBOOK,
    "create_space": NOTEBOOK,
    "create_app": NOTEBOOK,
    "create_monitoring_schedule": MONITORING,
    "update_monitoring_schedule": MONITORING,
    "start_monitoring_schedule": MONITORING,
    "create_data_quality_job_definition": MONITORING,
    "create_model_quality_job_definition": MONITORING,
    "create_model_bias_job_definition": MONITORING,
    "create_model_explainability_job_definition": MONITORING,
}
# What the user can do instead of each SageMaker Runtime operation
RUNTIME_ALTERNATIVES = {
    "invoke_endpoint_async": "use InvokeEndpoint, or a batch transform job for large inputs",
}


def install() -> None:
    """Make moto refuse the operations with HTTP status 501 and an error message that contains the alternative."""
    for owner, alternatives in (
        (SageMakerResponse, ALTERNATIVES),
        (SageMakerRuntimeResponse, RUNTIME_ALTERNATIVES),
    ):
        for operation, alternative in alternatives.items():
            patch = replace if hasattr(owner, operation) else add
            patch(owner, operation, _refusal(alternative))


def _refusal(alternative: str) -> Any:
    def refuse(self: object) -> NoReturn:
        raise NotImplementedError(alternative)

    return refuse
