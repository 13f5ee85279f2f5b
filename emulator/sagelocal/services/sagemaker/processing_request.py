"""Checks a CreateProcessingJob request, and derives processingjobconfig.json from the request.

Sources: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingS3Input.html
https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
https://github.com/aws/sagemaker-python-sdk/issues/4939 (LocalPaths must be unique; AWS's error message is empty)
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sagelocal.services.sagemaker.errors import InvalidRequestError
from sagelocal.services.sagemaker.job_run import DAY
from sagelocal.services.sagemaker.processing_container import PROCESSING_ROOT
from sagelocal.services.sagemaker.request_limits import check_limits

PARAMETERS = (
    *("ProcessingJobName", "ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition"),
    *("AppSpecification", "Environment", "NetworkConfig", "RoleArn", "ExperimentConfig"),
)
INPUT_DEFAULTS = {
    "S3InputMode": "File",
    "S3DataDistributionType": "FullyReplicated",
    "S3CompressionType": "None",
    "S3DownloadMode": "StartOfJob",
}


def check(request: Mapping[str, Any]) -> None:
    """Refuse a CreateProcessingJob request that is invalid or that the emulator does not support.

    Raises
    ------
    InvalidRequestError
        If AWS refuses the request.
    NotImplementedError
        If the emulator cannot run the job.
    """
    cluster = request["ProcessingResources"]["ClusterConfig"]
    if cluster.get("InstancePreferences"):
        raise NotImplementedError("ClusterConfig has InstancePreferences; use InstanceType and InstanceCount")
    if not cluster.get("InstanceType") or not cluster.get("InstanceCount"):
        raise InvalidRequestError("ClusterConfig must have an InstanceType and an InstanceCount")
    for each in request.get("ProcessingInputs") or []:
        _check_input(each)
    _check_unique_paths(request)
    for each in _outputs(request):
        _check_output(each)
    # the limits of the entry point and its arguments are not checked, so that a test can pass a program in them
    specification = {"ImageUri": request["AppSpecification"]["ImageUri"]}
    check_limits("CreateProcessingJob", {**request, "AppSpecification": specification})


def s3_inputs(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the S3Input of each input that SageMaker downloads, that is, of each input that is not AppManaged."""
    return [each["S3Input"] for each in request.get("ProcessingInputs") or [] if not each.get("AppManaged")]


def s3_outputs(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the S3Output of each output that SageMaker uploads, that is, of each output that is not AppManaged."""
    return [each["S3Output"] for each in _outputs(request) if not each.get("AppManaged")]


def configuration(request: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """Return the content of processingjobconfig.json."""
    specification, cluster = request["AppSpecification"], request["ProcessingResources"]["ClusterConfig"]
    return {
        "ProcessingJobArn": arn,
        "ProcessingJobName": request["ProcessingJobName"],
        "AppSpecification": {"ContainerEntrypoint": None, "ContainerArguments": None, **specification},
        "Environment": request.get("Environment") or {},
        "ProcessingInputs": [
            {**each, "S3Input": {**INPUT_DEFAULTS, **each["S3Input"]}} for each in request.get("ProcessingInputs") or []
        ],
        "ProcessingOutputConfig": {"Outputs": [], "KmsKeyId": None, **(request.get("ProcessingOutputConfig") or {})},
        "ProcessingResources": {"ClusterConfig": {"VolumeKmsKeyId": None, **cluster}},
        "RoleArn": request["RoleArn"],
        "StoppingCondition": request.get("StoppingCondition") or {"MaxRuntimeInSeconds": DAY},
    }


def _outputs(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = (request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    return outputs


def _check_input(given: Mapping[str, Any]) -> None:
    name, source = given["InputName"], given.get("S3Input")
    if given.get("DatasetDefinition"):
        raise NotImplementedError(f"input {name} has a DatasetDefinition; export the data to S3 and use an S3Input")
    if not source:
        raise InvalidRequestError(f"ProcessingInput {name} must have an S3Input or a DatasetDefinition")
    if source.get("S3InputMode") == "Pipe":
        raise NotImplementedError(f"input {name} has the S3InputMode Pipe; use File")
    if source.get("S3CompressionType") == "Gzip":
        raise InvalidRequestError(
            f"S3CompressionType Gzip of input {name} can only be used when Pipe mode is specified as the S3InputMode"
        )
    _check_location(name, source, given)


def _check_unique_paths(request: Mapping[str, Any]) -> None:
    names: dict[PurePosixPath, str] = {}
    for given in request.get("ProcessingInputs") or []:
        if not given.get("AppManaged"):
            path, name = PurePosixPath(given["S3Input"]["LocalPath"]), given["InputName"]
            if path in names:
                raise InvalidRequestError(
                    f"LocalPath of the inputs {names[path]} and {name} must differ (got '{path}')"
                )
            names[path] = name


def _check_output(given: Mapping[str, Any]) -> None:
    name, target = given["OutputName"], given.get("S3Output")
    if given.get("FeatureStoreOutput"):
        raise NotImplementedError(f"output {name} has a FeatureStoreOutput; use an S3Output")
    if not target:
        raise InvalidRequestError(f"ProcessingOutput {name} must have an S3Output or a FeatureStoreOutput")
    _check_location(name, target, given)


def _check_location(name: str, location: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check the S3Uri and the LocalPath of an input or output."""
    if not location["S3Uri"].startswith("s3://"):
        raise NotImplementedError(f"the S3Uri of {name} is {location['S3Uri']}; use a URI that begins with s3://")
    if given.get("AppManaged"):
        return
    path = PurePosixPath(location.get("LocalPath") or "")
    if PurePosixPath(PROCESSING_ROOT) not in path.parents or ".." in path.parts:
        raise InvalidRequestError(f"LocalPath of {name} must begin with {PROCESSING_ROOT}/ (got '{path}')")
