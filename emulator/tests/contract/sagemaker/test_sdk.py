"""Training jobs that version 3 of the SageMaker Python SDK starts with ModelTrainer in script mode."""

import re
from pathlib import Path
from typing import Any

import pytest

from ..functions import unique
from .resources import SageMaker

PROGRAM = """
import argparse, json, os, pathlib
import helper
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--word")
given = parser.parse_args()
print(f"accuracy=0.{given.epochs}")
names = sorted(path.name for path in pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).iterdir())
if given.word == "fail":
    raise RuntimeError("failed on request")
model = {"epochs": given.epochs, "word": given.word, "names": names, "helper": helper.NAME}
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps(model))
"""
README = Path(__file__).parents[3] / "README.md"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The path of a folder with a training program, a module that it imports, and requirements that are installed."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "train.py").write_text(PROGRAM)
    (folder / "helper.py").write_text("NAME = 'helper'\n")
    (folder / "requirements.txt").write_text("boto3\n")
    return folder


def train(sdk: Any, sagemaker: SageMaker, source: Path, role: str, **hyperparameters: str) -> str:
    """Start a training job that runs the program, with ModelTrainer, and return the job's name."""
    from sagemaker.core.shapes import MetricDefinition, StoppingCondition
    from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, SourceCode
    from sagemaker.train import ModelTrainer

    trainer = ModelTrainer(
        sagemaker_session=sdk,
        role=role,
        base_job_name=unique("sdk"),
        training_image="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312",
        source_code=SourceCode(source_dir=str(source), entry_script="train.py", requirements="requirements.txt"),
        compute=Compute(instance_type="ml.m5.xlarge", instance_count=1),
        hyperparameters=hyperparameters,
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{sagemaker.bucket}/models"),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=120),
    ).with_metric_definitions([MetricDefinition(name="accuracy", regex=r"accuracy=([0-9.]+)")])
    channel = InputData(channel_name="train", data_source=f"s3://{sagemaker.bucket}/train/")
    trainer.train(input_data_config=[channel], wait=False, logs=False)
    return str(trainer._latest_training_job.training_job_name)


def test_model_trainer_runs_a_script(sdk: Any, sagemaker: SageMaker, source: Path, role: str) -> None:
    # GIVEN
    sagemaker.upload("train/a.png", "a")
    # WHEN
    name = train(sdk, sagemaker, source, role, epochs="3", word="two words")
    job = sagemaker.wait_for_training(name)
    # THEN
    assert job["TrainingJobStatus"] == "Completed", sagemaker.read_log("/aws/sagemaker/TrainingJobs", name)
    assert sagemaker.read_json(job["ModelArtifacts"]["S3ModelArtifacts"], "model.json") == {
        "epochs": 3,
        "word": "two words",
        "names": ["a.png"],
        "helper": "helper",
    }
    assert [each["MetricName"] for each in job["FinalMetricDataList"]] == ["accuracy"]


@pytest.mark.usefixtures("sdk")
def test_readme_redirects_the_sdks_requests_to_sts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN the example in the README
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (example,) = re.findall(r"## SageMaker SDK\n.*?```python\n(.*?)```", README.read_text(), re.DOTALL)
    # WHEN
    exec(example, {})  # noqa: S102 (code of this repository)
    # THEN
    printed = capsys.readouterr().out.split()
    assert printed == ["sagemaker-us-east-1-123456789012", "arn:aws:iam::123456789012:role/training"]


def test_failed_script_fails_the_job(sdk: Any, sagemaker: SageMaker, source: Path, role: str) -> None:
    # GIVEN
    sagemaker.upload("train/a.png", "a")
    # WHEN the script raises an error
    name = train(sdk, sagemaker, source, role, epochs="3", word="fail")
    job = sagemaker.wait_for_training(name)
    # THEN
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ")
    assert job["FailureReason"].endswith("exit code: 1")
    assert "RuntimeError: failed on request" in sagemaker.read_log("/aws/sagemaker/TrainingJobs", name)
