"""Factories of model versions for tests."""

from datetime import UTC, datetime
from typing import Any

from registry.model_registry import Version


def make_version(number: int, status: str = "Approved", **changes: Any) -> Version:
    """Return a version of the model package group `vehicles`; `changes` replace fields."""
    content: dict[str, Any] = {
        "arn": f"arn:aws:sagemaker:us-east-1:123456789012:model-package/vehicles/{number}",
        "status": status,
        "registered": datetime(2026, 3, 1, 12, number % 60, tzinfo=UTC),
        "gate_reason": "validation accuracy 0.950 (0.888 to 0.978, n=100), meets the minimum of 0.8",
        "approval_reason": "",
        "properties": {
            "training_job": "vehicles-1",
            "validation_correct": "95",
            "validation_n": "100",
            "validation_set": "images",
            "source": "CIFAR-100 (cifar-100-python.tar.gz, md5 eb9058c3a382ffc7106e4002c42a8d85)",
            "code": "6f912a4bd0ee2f5d4a5d3b4bb26e3f0f6e0a1b2c-dirty",
            "manifest": "s3://bucket/models/vehicles-1/output/manifest.json",
            "manifest_md5": "d41d8cd98f00b204e9800998ecf8427e",
        },
        "image": "registry/pytorch-inference:2.6",
        "model_data_url": "s3://bucket/models/vehicles-1/output/model.tar.gz",
    }
    return Version(**{**content, **changes})


def make_versions(*statuses: str) -> list[Version]:
    """Return versions with these statuses, numbered from 1, newest first."""
    return [make_version(number, status) for number, status in enumerate(statuses, start=1)][::-1]
