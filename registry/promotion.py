"""Promotion of a trained model: quality gate, registration, and approval if the environment approves automatically."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from common.errors import OperatorError
from common.files import RESULT_FILES, write_json
from registry.comparison import Score
from registry.model_card import model_card
from registry.model_registry import BASELINE, ModelRegistry, RegistrationRequest, version_number
from registry.predictions import ValidationPrediction, read_validation_predictions
from registry.quality_gate import GateResult, QualityGate
from staging.manifest import Manifest
from training.algorithms import CONTAINER
from training.follow import TrainingJob
from training.job_config import TrainingRequest
from training.launch import brings_packages, delete_checkpoints


def is_registered(registry: ModelRegistry, fingerprint: str) -> bool:
    """Return whether a model with the same data, code and hyperparameters is registered; if so, print its name.

    Parameters
    ----------
    fingerprint : hash of the data, code and hyperparameters

    Raises
    ------
    OperatorError
        The registered model is rejected.
    """
    existing = next((each for each in registry.versions() if each.properties.get("fingerprint") == fingerprint), None)
    if existing is None:
        return False
    if existing.status == "Rejected":
        raise OperatorError(
            f"{existing.name} has the same data, code and hyperparameters, and is rejected: "
            f"{existing.approval_reason or existing.gate_reason}"
        )
    print(f"nothing to train: {existing.name} has the same data, code and hyperparameters")
    if existing.arn != registry.arn_in_use():
        print(f"{existing.name} is not in use: run `make approve MODEL={existing.number} ENV={registry.environment}`")
    return True


def promote(
    request: TrainingRequest,
    job: TrainingJob,
    registry: ModelRegistry,
    gate: QualityGate,
    *,
    automatic: bool,
    directory: Path,
    append_history: Callable[..., object],
) -> None:
    """Apply the quality gate to a job's model, and register the model.

    If the model passes the gate and `automatic` is true, approve the model.

    Parameters
    ----------
    automatic : whether a model that passes the gate is approved without manual approval
    directory : folder in which the training metrics are written, for the report
    append_history : function that adds the result to the history of the environment

    Raises
    ------
    OperatorError
        The model failed the gate and was registered as rejected.
    """
    score, result = apply_gate(job, request.manifest, registry, gate)
    print(score)
    predictions = read_validation_predictions(job.model_data_url, s3=gate.s3)
    registration = registration_request(request, job, score, result, predictions)
    arn = registry.register(registration, s3=gate.s3)
    delete_checkpoints(request.config, request.fingerprint, s3=gate.s3)
    metrics = {**training_metrics(request, registration, result), "model_package_arn": arn}
    write_json(directory / RESULT_FILES["train"], metrics)
    append_history("training", history_figures(score, result, request.manifest), model=f"v{version_number(arn)}")
    if not result.passed:
        raise OperatorError(f"{arn} is rejected: {result.reason}")
    if automatic:
        registry.approve(arn, result.reason)
        print(f"{arn} is approved: {result.reason}")
        print(f"next: `make deploy ENV={registry.environment}`")
    else:
        print(f"{arn} is pending manual approval: run `make approve ENV={registry.environment}`")


def apply_gate(
    job: TrainingJob, manifest: Manifest, registry: ModelRegistry, gate: QualityGate
) -> tuple[Score, GateResult]:
    """Score a job's model and apply the quality gate to it.

    If a batch transform job scores the version in use, the gate takes minutes. If another version is put into use
    meanwhile, the gate is applied again, to compare the model with that version.
    """
    while True:
        arn = registry.arn_in_use()
        in_use = next((version for version in registry.versions() if version.arn == arn), None)
        checked = gate.check(job, manifest, in_use)
        if registry.arn_in_use() == arn:
            return checked
        print("another model was put into use meanwhile: comparing with it")


def registration_request(
    request: TrainingRequest,
    job: TrainingJob,
    score: Score,
    result: GateResult,
    predictions: Mapping[str, ValidationPrediction] | None,
) -> RegistrationRequest:
    """Return the request that registers a trained model."""
    code = code_version()
    return RegistrationRequest(
        job=job,
        score=score,
        image=request.serving_image,
        scripted=request.algorithm.scripted,
        brings_packages=brings_packages(request.algorithm, request.config),
        status="PendingManualApproval" if result.passed else "Rejected",
        reason=result.reason,
        manifest=request.manifest.to_json(),
        properties={
            "fingerprint": request.fingerprint,
            "algorithm": request.algorithm.name,
            "source": request.manifest.description,
            "classes": " ".join(request.manifest.classes),
            "classes_md5": request.manifest.classes_md5,
            "code": code,
            # this project's training code writes a baseline into every model archive
            **({BASELINE: "baseline.json"} if request.algorithm.scripted else {}),
        },
        model_card=model_card(request, job, score, result.reason, code, predictions),
    )


def code_version() -> str:
    """Return the commit of this checkout, or `unknown` outside a Git repository.

    The suffix `-dirty` marks uncommitted changes.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    described = subprocess.run(command, cwd=CONTAINER, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def history_figures(score: Score, result: GateResult, manifest: Manifest) -> dict[str, object]:
    """Return the metrics that are stored in the history of the environment."""
    return {
        "accuracy": score.accuracy,
        "accuracy_interval": score.interval,
        "n": score.n,
        "passed": result.passed,
        "reason": result.reason,
        "reviewed_images": manifest.reviewed.count if manifest.reviewed else 0,
    }


def training_metrics(
    request: TrainingRequest, registration: RegistrationRequest, result: GateResult
) -> dict[str, object]:
    """Return the settings and results of a training job that the report shows."""
    job, score, config = registration.job, registration.score, request.config
    return {
        **registration.properties,
        "synthetic": request.manifest.synthetic,
        "job": job.name,
        "image": config.image,
        "instance_type": config.instance_type,
        "instance_count": config.instance_count,
        "hyperparameters": request.hyperparameters,
        "seconds": job.seconds,
        "metrics": job.metrics,
        "validation": {"correct": score.correct, "n": score.n, "accuracy": score.accuracy, "interval": score.interval},
        "quality_gate": asdict(result),
    }
