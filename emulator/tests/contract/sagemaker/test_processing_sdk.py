"""Processing jobs that the SageMaker Python SDK starts: the processors of version 3, and the request of version 2."""

from pathlib import Path
from typing import Any

import pytest

from sagelocal.core.mounts import can_replace_opt

from ..functions import unique
from .resources import PROCESSING_LOGS, ROLE, SageMaker

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312"
SCRIPT = """
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--days")
days = parser.parse_args().days
text = pathlib.Path("/opt/ml/processing/input/data/a.csv").read_text()
print("read", text)
pathlib.Path("/opt/ml/processing/output/result.txt").write_text(text + days)
"""

pytestmark = pytest.mark.skipif(not can_replace_opt(), reason="this machine does not allow mount namespaces")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The path of a script that imports a module from its own folder."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "run.py").write_text(f"import helper\n{SCRIPT}")
    (folder / "helper.py").touch()
    return folder / "run.py"


def inputs_and_outputs(sagemaker: SageMaker) -> dict[str, Any]:
    """Return the arguments of Processor.run() for one input and one output."""
    from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output

    source = ProcessingS3Input(
        s3_uri=sagemaker.upload("data/a.csv", "1,2"),
        local_path="/opt/ml/processing/input/data",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
    )
    target = ProcessingS3Output(
        s3_uri=f"s3://{sagemaker.bucket}/out", local_path="/opt/ml/processing/output", s3_upload_mode="EndOfJob"
    )
    return {
        "inputs": [ProcessingInput(input_name="data", s3_input=source)],
        "outputs": [ProcessingOutput(output_name="result", s3_output=target)],
    }


@pytest.mark.parametrize("kind", ["ScriptProcessor", "FrameworkProcessor"])
def test_processor_of_version_3_runs_a_script(
    sdk: Any, sagemaker: SageMaker, script: Path, role: str, kind: str
) -> None:
    # GIVEN
    from sagemaker.core import processing

    framework = kind == "FrameworkProcessor"
    processor = getattr(processing, kind)(
        image_uri=IMAGE,
        role=role,
        command=["python3"],
        instance_type="ml.m5.large",
        instance_count=1,
        sagemaker_session=sdk,
    )
    code = {"code": "run.py", "source_dir": str(script.parent)} if framework else {"code": str(script)}
    if not framework:  # ScriptProcessor uploads only the script, so the script cannot import the module
        script.write_text(SCRIPT)
    # WHEN
    processor.run(**code, arguments=["--days", "7"], **inputs_and_outputs(sagemaker), wait=False)
    # THEN
    name = processor.latest_job.processing_job_name
    assert sagemaker.wait_for_processing(name)["ProcessingJobStatus"] == "Completed"
    assert sagemaker.download(f"s3://{sagemaker.bucket}/out/result.txt") == b"1,27"
    assert "read 1,2" in sagemaker.read_log(PROCESSING_LOGS, name)


def test_request_of_a_script_processor_of_version_2_is_supported(sagemaker: SageMaker) -> None:
    """The test sends the request of ScriptProcessor.run() itself, because version 2 of the SDK is not installed.

    Sources: ProcessingInput._to_request_dict in
    https://github.com/aws/sagemaker-python-sdk/blob/master-v2/src/sagemaker/processing.py, _get_process_request in
    https://github.com/aws/sagemaker-python-sdk/blob/master-v2/src/sagemaker/session.py, and the inputs that
    https://github.com/aws/amazon-sagemaker-examples/issues/1604 quotes
    """
    # GIVEN
    name, bucket = unique("sdk-v2"), sagemaker.bucket
    sagemaker.upload(f"{name}/input/code/run.py", SCRIPT)
    sagemaker.upload("data/a.csv", "1,2")

    def source(input_name: str, uri: str) -> dict[str, Any]:
        return {
            "InputName": input_name,
            "AppManaged": False,
            "S3Input": {
                "S3Uri": uri,
                "LocalPath": f"/opt/ml/processing/input/{input_name}",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated",
                "S3CompressionType": "None",
            },
        }

    target = {
        "S3Uri": f"s3://{bucket}/{name}/output/result",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "EndOfJob",
    }
    cluster = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    # WHEN
    sagemaker.client.create_processing_job(
        ProcessingJobName=name,
        ProcessingResources={"ClusterConfig": cluster},
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerArguments": ["--days", "7"],
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/run.py"],
        },
        RoleArn=ROLE,
        ProcessingInputs=[
            source("data", f"s3://{bucket}/data/a.csv"),
            source("code", f"s3://{bucket}/{name}/input/code/run.py"),
        ],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "result", "AppManaged": False, "S3Output": target}]},
        Environment={"LEVEL": "1"},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )
    # THEN
    job = sagemaker.wait_for_processing(name)
    assert job["ProcessingJobStatus"] == "Completed", sagemaker.read_log(PROCESSING_LOGS, name)
    assert sagemaker.download(f"s3://{bucket}/{name}/output/result/result.txt") == b"1,27"
