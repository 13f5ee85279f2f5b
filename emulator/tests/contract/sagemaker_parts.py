"""Training jobs, models and endpoints made for the tests."""

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from sagelocal.pytest_plugin import RunningEmulator

from .functions import unique
from .waiting import eventually

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
TRAINER = "tests/sagemaker_trainer:1"
SERVER = "tests/sagemaker_server:1"
ENDED = ("Completed", "Failed", "Stopped")


def make_archive(files: dict[str, str]) -> bytes:
    """A `tar.gz` of files by name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


@dataclass(frozen=True)
class SageMaker:
    """SageMaker's clients, with a bucket for what jobs and models need."""

    emulator: RunningEmulator
    bucket: str

    @property
    def client(self) -> Any:
        """For jobs, models and endpoints."""
        return self.emulator.client("sagemaker")

    @property
    def s3(self) -> Any:
        """For the bucket."""
        return self.emulator.client("s3")

    def put(self, key: str, body: bytes | str) -> str:
        """Store an object; its address."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        """An object's content."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def read(self, uri: str, member: str) -> Any:
        """A JSON file in an archive."""
        with tarfile.open(fileobj=io.BytesIO(self.get(uri))) as archive:
            file = archive.extractfile(member)
            assert file is not None
            return json.load(file)

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def train(self, *, program: str | None = None, **request: Any) -> str:
        """Start a job, of the trainer's image or of a line of Python; its name."""
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

    def job(self, name: str) -> dict[str, Any]:
        """A job's description."""
        described: dict[str, Any] = self.client.describe_training_job(TrainingJobName=name)
        return described

    def trained(self, name: str) -> dict[str, Any]:
        """A job's description once it has ended."""

        def ended() -> dict[str, Any]:
            described = self.job(name)
            return described if described["TrainingJobStatus"] in ENDED else {}

        return eventually(ended, seconds=60)

    def in_training(self, name: str) -> None:
        """Wait until a job's container runs."""
        eventually(lambda: self.job(name)["SecondaryStatus"] == "Training", seconds=30)

    def log(self, group: str, prefix: str) -> list[str]:
        """Lines of the log streams that begin so."""
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

    def put_model_data(self, text: str) -> str:
        """The server's model; its address."""
        return self.put(f"{unique('data')}/model.tar.gz", make_archive({"model.txt": text}))

    def make_model(self, text: str = "first", **container: Any) -> str:
        """A model of the server's image; its name."""
        name = unique("model")
        given = {"Image": SERVER, "ModelDataUrl": self.put_model_data(text), **container}
        self.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=given)
        return name

    def make_config(self, models: Mapping[str, tuple[str, float]], **request: Any) -> str:
        """An endpoint configuration of models and weights by variant; its name."""
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

    def make_endpoint(self, config: str) -> str:
        """An endpoint that is in service; its name."""
        name = unique("endpoint")
        self.client.create_endpoint(EndpointName=name, EndpointConfigName=config)
        assert self.settled(name)["EndpointStatus"] == "InService"
        return name

    def serve(self, text: str = "first", **config: Any) -> str:
        """An endpoint of one variant that serves this model; its name."""
        return self.make_endpoint(self.make_config({"AllTraffic": (self.make_model(text), 1)}, **config))

    def update(self, endpoint: str, config: str) -> dict[str, Any]:
        """Update an endpoint; its description when that is over."""
        self.client.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        return self.settled(endpoint)

    def settled(self, endpoint: str) -> dict[str, Any]:
        """An endpoint's description once nothing is under way."""

        def look() -> dict[str, Any]:
            described: dict[str, Any] = self.client.describe_endpoint(EndpointName=endpoint)
            return described if described["EndpointStatus"] in ("InService", "Failed") else {}

        return eventually(look, seconds=30)

    def invoke(self, endpoint: str, body: bytes = b"x", **request: Any) -> dict[str, Any]:
        """What the endpoint answers, headers included."""
        runtime = self.emulator.client("sagemaker-runtime")
        answer: dict[str, Any] = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **request)
        return answer

    def ask(self, endpoint: str, body: bytes = b"x", **request: Any) -> dict[str, Any]:
        """What the endpoint's model tells."""
        told: dict[str, Any] = json.loads(self.invoke(endpoint, body, **request)["Body"].read())
        return told


@pytest.fixture(name="sagemaker")
def make_sagemaker(emulator: RunningEmulator) -> SageMaker:
    """SageMaker with an empty bucket."""
    bucket = unique("bucket")
    emulator.client("s3").create_bucket(Bucket=bucket)
    return SageMaker(emulator, bucket)
