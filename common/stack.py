"""What is deployed, as Terraform's outputs say it: the only source of names."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from common.errors import OperatorError
from deployment.terraform import Terraform
from training.launch import Network


class StackMissingError(OperatorError):
    """Nothing is deployed, or by another version of this code."""


@dataclass(frozen=True)
class Stack:
    """Terraform's outputs, one field each; `terraform/outputs.tf` describes them."""

    environment: str
    region: str
    bucket: str
    protected: bool
    kms_key_arn: str
    tags: Mapping[str, str]
    training_role_arn: str
    transform_role_arn: str
    training_images: Mapping[str, str]
    serving_images: Mapping[str, str]
    training_instance_types: Mapping[str, str]
    training_instance_count: int
    training_spot: bool
    network: Network | None
    transform_instance_type: str
    model_package_group: str
    approved_model_path: str
    approval: Literal["automatic", "manual"]
    accuracy_bar: float
    classes: tuple[str, ...]
    threshold: float
    state_machine_arn: str
    endpoint_name: str
    endpoint_config_name: str | None
    endpoint_schedule: str | None
    data_capture_uri: str
    captures: bool
    failures_topic_arn: str
    vehicles_table: str

    @property
    def network_of_model(self) -> dict[str, Any]:
        """What CreateModel is told of the network; nothing where there is none."""
        return self.network.of_model if self.network else {}


def read_stack(terraform: Terraform) -> Stack:
    """Read the stack from `terraform output`.

    Raises
    ------
    StackMissingError
        There are no outputs, or others than this code knows.
    """
    outputs = terraform.outputs()
    # Terraform leaves an output that is null out of what it prints
    for name in ("endpoint_config_name", "endpoint_schedule", "network"):
        outputs.setdefault(name, None)
    missing = sorted({field.name for field in fields(Stack)} - set(outputs))
    if missing:
        raise StackMissingError(
            f"{terraform.environment} is not deployed (no output {missing[0]}): "
            f"run `make up ENV={terraform.environment}`"
        )
    known = {field.name: outputs[field.name] for field in fields(Stack)}
    network = known["network"] and Network(**{name: tuple(ids) for name, ids in known["network"].items()})
    return Stack(**{**known, "classes": tuple(known["classes"]), "network": network})
