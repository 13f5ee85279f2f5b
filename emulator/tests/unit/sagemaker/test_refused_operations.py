"""sagelocal emulates, stores or refuses each SageMaker operation of moto that creates, starts or invokes something."""

from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from sagelocal.services.sagemaker.refused_operations import ALTERNATIVES, RUNTIME_ALTERNATIVES

EMULATED = {
    "create_endpoint",
    "create_endpoint_config",
    "create_hyper_parameter_tuning_job",
    "create_model",
    "create_model_package",
    "create_model_package_group",
    "create_processing_job",
    "create_training_job",
    "create_transform_job",
    "invoke_endpoint",
}
STORED = {  # operations that only store a description, also on AWS
    "create_experiment",
    "create_model_card",
    "create_trial",
    "create_trial_component",
}
VERBS = ("create_", "start_", "invoke_")


def test_each_operation_of_moto_is_emulated_stored_or_refused() -> None:
    # GIVEN the operations of moto, without those that sagelocal adds
    methods = {
        name for kind in (SageMakerResponse, SageMakerRuntimeResponse) for name in vars(kind) if name.startswith(VERBS)
    }
    # WHEN
    decided = EMULATED | STORED | ALTERNATIVES.keys() | RUNTIME_ALTERNATIVES.keys()
    # THEN
    assert methods - decided == set()
