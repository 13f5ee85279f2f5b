"""Creates SageMaker jobs, models and endpoints for the contract tests."""

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagelocal.pytest_plugin import RunningEmulator

from ...waiting import eventually
from ..functions import unique

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
TRAINER = "tests/sagemaker_trainer:1"
SERVER = "tests/sagemaker_server:1"
PROCESSOR = "tests/sagemaker_processor:1"
ENDED = ("Completed", "Failed", "Stopped")
TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"
PROCESSING_OUTPUT = "/opt/ml/processing/output"
PROCESSING_LOGS = "/aws/sagemaker/ProcessingJobs"


def make_archive(files: dict[str, str]) -> bytes:
    """Return the bytes of a `tar.gz` archive; `files` maps each file's name to its text."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def channel(name: str, uri: str, **source: Any) -> dict[str, Any]:
    """Return a training job's input channel with an S3 data source.

    source : more members of S3DataSource
    """
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}}}


def processing_input(name: str, uri: str, local_path: str, **source: Any) -> dict[str, Any]:
    """Return a processing job's input from S3.

    local_path : directory in the container
    source     : more members of S3Input
    """
    default = {"S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": local_path, **default, **source}}


def processing_output(uri: str, local_path: str = PROCESSING_OUTPUT, mode: str = "EndOfJob") -> dict[str, Any]:
    """Return the output configuration of a processing job with one output."""
    target = {"S3Uri": uri, "LocalPath": local_path, "S3UploadMode": mode}
    return {"Outputs": [{"OutputName": "result", "S3Output": target}]}


@dataclass(frozen=True)
class SageMaker:
    """Creates SageMaker resources in an emulator, with one bucket for their data."""

    emulator: RunningEmulator
    bucket: str

    @classmethod
    def create(cls, emulator: RunningEmulator) -> "SageMaker":
        """Create the bucket, and return the helper."""
        bucket = unique("bucket")
        emulator.client("s3").create_bucket(Bucket=bucket)
        return cls(emulator, bucket)

    @property
    def client(self) -> Any:
        """The SageMaker client."""
        return self.emulator.client("sagemaker")

    @property
    def s3(self) -> Any:
        """The S3 client."""
        return self.emulator.client("s3")

    def upload(self, key: str, body: bytes | str) -> str:
        """Store an object and return its S3 URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def download(self, uri: str) -> bytes:
        """Return the content of the object with an S3 URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def read_json(self, uri: str, member: str) -> Any:
        """Return the content of the JSON file `member` in a tar archive in S3."""
        with tarfile.open(fileobj=io.BytesIO(self.download(uri))) as archive:
            file = archive.extractfile(member)
            assert file is not None
            return json.load(file)

    def list_keys(self, prefix: str) -> list[str]:
        """Return the keys in the bucket that begin with a prefix."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def start_training(self, *, program: str | None = None, **request: Any) -> str:
        """Start a training job and return the job's name.

        program : Python program that the job runs; by default the job runs the image TRAINER
        request : parameters of CreateTrainingJob, which override the defaults
        """
        name = unique("job")
        specification: dict[str, Any] = {"TrainingImage": TRAINER, "TrainingInputMode": "File"}
        if program is not None:
            specification["ContainerEntrypoint"] = ["python3", "-c", program]
        specification |= request.pop("AlgorithmSpecification", {})
        self.client.create_training_job(
            **{
                "TrainingJobName": name,
                "RoleArn": ROLE,
                "AlgorithmSpecification": specification,
                "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/models"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                **request,
            }
        )
        return name

    def describe_training(self, name: str) -> dict[str, Any]:
        """Return the description of a training job."""
        described: dict[str, Any] = self.client.describe_training_job(TrainingJobName=name)
        return described

    def wait_for_training(self, name: str) -> dict[str, Any]:
        """Wait until a training job has ended and return its description."""

        def ended() -> dict[str, Any]:
            described = self.describe_training(name)
            return described if described["TrainingJobStatus"] in ENDED else {}

        return eventually(ended, seconds=60)

    def start_processing(self, *, program: str | None = None, **request: Any) -> str:
        """Start a processing job and return the job's name.

        program : Python program that the job runs; by default the job runs the image PROCESSOR
        request : parameters of CreateProcessingJob, which override the defaults
        """
        request = {"ProcessingJobName": unique("job"), **request}
        specification: dict[str, Any] = {"ImageUri": PROCESSOR}
        if program is not None:
            specification["ContainerEntrypoint"] = ["python3", "-c", program]
        specification |= request.pop("AppSpecification", {})
        self.client.create_processing_job(
            **{
                "RoleArn": ROLE,
                "AppSpecification": specification,
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
                },
                **request,
            }
        )
        return str(request["ProcessingJobName"])

    def process(self, program: str | None, **request: Any) -> dict[str, Any]:
        """Run a processing job to its end, and return the job's description. Its output is uploaded below `out/`."""
        output = processing_output(f"s3://{self.bucket}/out")
        name = self.start_processing(program=program, **{"ProcessingOutputConfig": output, **request})
        return self.wait_for_processing(name)

    def wait_for_processing(self, name: str) -> dict[str, Any]:
        """Wait until a processing job has ended and return its description."""

        def ended() -> dict[str, Any]:
            described: dict[str, Any] = self.client.describe_processing_job(ProcessingJobName=name)
            return described if described["ProcessingJobStatus"] in ENDED else {}

        return eventually(ended, seconds=60)

    def read_log(self, group: str, prefix: str) -> list[str]:
        """Return the lines of all log streams whose names begin with a prefix; no lines if there is no group."""
        logs = self.emulator.client("logs")
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def upload_model(self, text: str) -> str:
        """Upload the model archive of the image SERVER, with `text` as the model, and return the archive's S3 URI."""
        return self.upload(f"{unique('data')}/model.tar.gz", make_archive({"model.txt": text}))

    def create_model(self, text: str = "first", **container: Any) -> str:
        """Create a model with the image SERVER and return the model's name.

        text      : content of the model, which selects how the server responds
        container : members of PrimaryContainer, which override the defaults
        """
        name = unique("model")
        container = {"Image": SERVER, "ModelDataUrl": self.upload_model(text), **container}
        self.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        return name

    def create_endpoint_config(self, models: Mapping[str, tuple[str, float]], **request: Any) -> str:
        """Create an endpoint configuration and return its name.

        models : model name and initial weight of each production variant, by the variant's name
        """
        name = unique("config")
        variants = [
            {
                "VariantName": variant,
                "ModelName": model,
                "InitialVariantWeight": weight,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
            }
            for variant, (model, weight) in models.items()
        ]
        self.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **request)
        return name

    def create_endpoint(self, config: str) -> str:
        """Create an endpoint, wait until it is in service, and return its name."""
        name = unique("endpoint")
        self.client.create_endpoint(EndpointName=name, EndpointConfigName=config)
        assert self.wait_for_endpoint(name)["EndpointStatus"] == "InService"
        return name

    def deploy(self, text: str = "first", **config: Any) -> str:
        """Create a model and an endpoint with the variant `AllTraffic`, and return the endpoint's name.

        text   : content of the model, which selects how the server responds
        config : parameters of CreateEndpointConfig
        """
        return self.create_endpoint(self.create_endpoint_config({"AllTraffic": (self.create_model(text), 1)}, **config))

    def update_endpoint(self, endpoint: str, config: str) -> dict[str, Any]:
        """Update an endpoint, wait until the update has ended, and return the endpoint's description."""
        self.client.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        return self.wait_for_endpoint(endpoint)

    def delete_endpoint(self, endpoint: str) -> None:
        """Delete an endpoint, and wait until the deletion has ended."""
        self.client.delete_endpoint(EndpointName=endpoint)
        eventually(lambda: not self.client.list_endpoints(NameContains=endpoint)["Endpoints"], seconds=30)

    def wait_for_endpoint(self, endpoint: str) -> dict[str, Any]:
        """Wait until an endpoint's status is InService or Failed, and return the endpoint's description."""

        def describe_if_settled() -> dict[str, Any]:
            described: dict[str, Any] = self.client.describe_endpoint(EndpointName=endpoint)
            return described if described["EndpointStatus"] in ("InService", "Failed") else {}

        return eventually(describe_if_settled, seconds=30)

    def invoke(self, endpoint: str, body: bytes = b"x", **request: Any) -> dict[str, Any]:
        """Invoke an endpoint and return the whole response."""
        runtime = self.emulator.client("sagemaker-runtime")
        response: dict[str, Any] = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **request)
        return response

    def invoke_json(self, endpoint: str, body: bytes = b"x", **request: Any) -> dict[str, Any]:
        """Invoke an endpoint and return the JSON body of the response."""
        content: dict[str, Any] = json.loads(self.invoke(endpoint, body, **request)["Body"].read())
        return content
