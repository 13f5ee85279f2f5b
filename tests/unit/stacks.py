"""A factory of `Stack` objects for tests."""

from typing import Any

from common.stack import Stack


def make_stack(**changes: Any) -> Stack:
    """Return the stack of a deployed environment `local`; `changes` replace fields."""
    account = "123456789012"
    outputs: dict[str, Any] = {
        "environment": "local",
        "region": "us-east-1",
        "bucket": f"scones-local-data-{account}",
        "models_prefix": "models",
        "checkpoints_prefix": "checkpoints",
        "packages_prefix": "packages",
        "bundle_packages": False,
        "transform_prefix": "transform",
        "protected": False,
        "kms_key_arn": f"arn:aws:kms:us-east-1:{account}:key/some-key",
        "tags": {"Project": "scones", "Environment": "local", "Stack": "scones-local"},
        "training_role_arn": f"arn:aws:iam::{account}:role/scones-local-training",
        "transform_role_arn": f"arn:aws:iam::{account}:role/scones-local-transform",
        "training_images": {
            "pytorch": "registry/pytorch-training:2.10",
            "image-classification": "registry/image-classification:1",
        },
        "serving_images": {
            "pytorch": "registry/pytorch-inference:2.6",
            "image-classification": "registry/image-classification:1",
        },
        "training_job_prefix": "scones-local-vehicles",
        "transform_job_prefix": "scones-local-transform",
        "training_instance_types": {"pytorch": "ml.m5.xlarge", "image-classification": "ml.g4dn.xlarge"},
        "training_instance_count": 1,
        "training_spot": False,
        "network": None,
        "transform_instance_type": "ml.m5.xlarge",
        "model_package_group": "scones-local-vehicles",
        "approved_model_path": "/scones/local/approved-model",
        "approval": "automatic",
        "minimum_accuracy": 0.8,
        "classes": ("bicycle", "motorcycle"),
        "threshold": 0.93,
        "state_machine_arn": f"arn:aws:states:us-east-1:{account}:stateMachine:scones-local-workflow",
        "batch_state_machine_arn": f"arn:aws:states:us-east-1:{account}:stateMachine:scones-local-batch",
        "batch_prefix": "batch",
        "image_prefixes": ("train", "validation", "test"),
        "function_code_sha256": {"scones-local-filter": "some-hash"},
        "endpoint_name": "scones-local-vehicles",
        "endpoint_config_name": "scones-local-vehicles-1",
        "endpoint_schedule": "scones-local-endpoint-expiry",
        "endpoint_lifetime_parameter": "/scones/local/endpoint-lifetime/interval",
        "drift_job": None,
        "failures_topic_arn": f"arn:aws:sns:us-east-1:{account}:scones-local-failures",
        "data_capture_enabled": True,
        "data_capture_uri": f"s3://scones-local-data-{account}/data_capture",
        "vehicles_table": "scones-local-vehicles",
        "drivers_table": "scones-local-drivers",
        "incoming_prefix": "incoming",
        "uploads_prefix": "uploads",
        "review_prefix": "review",
        "labels_prefix": "labels",
        "history_prefix": "history",
        "undelivered_queue_url": f"https://sqs.us-east-1.amazonaws.com/{account}/scones-local-undelivered",
    }
    return Stack(**{**outputs, **changes})
