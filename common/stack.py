"""The deployed stack as Terraform's outputs describe it: the only source of resource names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Network:
    """VPC subnets and security groups for a job or model that runs in network isolation.

    Attributes
    ----------
    subnet_ids, security_group_ids : IDs of subnets and security groups in the same VPC
    """

    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]

    @property
    def model_settings(self) -> dict[str, Any]:
        """The network parameters of a CreateModel request."""
        vpc = {"Subnets": list(self.subnet_ids), "SecurityGroupIds": list(self.security_group_ids)}
        return {"VpcConfig": vpc, "EnableNetworkIsolation": True}


@dataclass(frozen=True)
class Stack:
    """The Terraform outputs that commands read. `terraform/outputs.tf` describes each field."""

    environment: str
    region: str
    bucket: str
    models_prefix: str
    checkpoints_prefix: str
    packages_prefix: str
    bundle_packages: bool
    transform_prefix: str
    protected: bool
    kms_key_arn: str
    tags: Mapping[str, str]
    training_role_arn: str
    transform_role_arn: str
    training_images: Mapping[str, str]
    serving_images: Mapping[str, str]
    training_job_prefix: str
    transform_job_prefix: str
    training_instance_types: Mapping[str, str]
    training_instance_count: int
    training_spot: bool
    network: Network | None
    transform_instance_type: str
    model_package_group: str
    approved_model_path: str
    approval: Literal["automatic", "manual"]
    minimum_accuracy: float
    classes: tuple[str, ...]
    threshold: float
    state_machine_arn: str
    batch_state_machine_arn: str
    batch_prefix: str
    image_prefixes: tuple[str, ...]
    function_code_sha256: Mapping[str, str]
    endpoint_name: str
    endpoint_config_name: str | None
    endpoint_schedule: str | None
    endpoint_lifetime_parameter: str | None
    drift_job: str | None
    failures_topic_arn: str
    data_capture_uri: str
    data_capture_enabled: bool
    vehicles_table: str
    drivers_table: str
    incoming_prefix: str
    uploads_prefix: str
    review_prefix: str
    labels_prefix: str
    history_prefix: str
    undelivered_queue_url: str

    @property
    def model_network(self) -> dict[str, Any]:
        """The network parameters of a CreateModel request; an empty dictionary if models run outside a VPC."""
        return self.network.model_settings if self.network else {}
