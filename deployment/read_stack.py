"""Read the stack from Terraform's outputs."""

from dataclasses import fields

from common.errors import OperatorError
from common.stack import Network, Stack
from deployment.terraform import Terraform


class StackMissingError(OperatorError):
    """The environment is not deployed, or was deployed by another version of this code."""


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
