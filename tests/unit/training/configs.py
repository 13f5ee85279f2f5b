"""A configuration of training jobs, for tests."""

from typing import Any

from training.launch import TrainingJobConfig


def make_config(**changes: Any) -> TrainingJobConfig:
    """Return the configuration of a job on one CPU instance with internet access.

    Parameters
    ----------
    changes : fields of the configuration that differ
    """
    defaults: dict[str, Any] = {
        "image": "registry/image:1",
        "role_arn": "arn:aws:iam::123456789012:role/training",
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/some-key",
        "bucket": "bucket",
        "models_prefix": "models",
        "checkpoints_prefix": "checkpoints",
        "packages_prefix": "packages",
        "bundle_packages": False,
        "region": "us-east-1",
        "instance_type": "ml.m5.xlarge",
        "instance_count": 1,
        "spot": False,
        "name": "scones-local-vehicles",
        "tags": {"Stack": "scones-local"},
    }
    return TrainingJobConfig(**{**defaults, **changes})
