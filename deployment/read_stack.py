"""Read the stack from Terraform's outputs."""

from dataclasses import fields

from common.errors import OperatorError
from common.stack import Network, Stack
from deployment.terraform import Terraform


class StackMissingError(OperatorError):
    """The environment is not deployed, or was deployed by an older version of this code."""


def read_stack(terraform: Terraform) -> Stack:
    """Return the stack that `terraform output` describes.

    Raises
    ------
    StackMissingError
        An output is missing.
    """
    outputs = terraform.outputs()
    # Terraform omits outputs that are null
    for name in ("endpoint_config_name", "endpoint_schedule", "endpoint_lifetime_parameter", "drift_job", "network"):
        outputs.setdefault(name, None)
    missing = sorted({field.name for field in fields(Stack)} - set(outputs))
    if missing:
        raise StackMissingError(
            f"{terraform.environment} is not deployed, or was deployed by an older version of the code "
            f"(output {missing[0]} is missing): run `make up ENV={terraform.environment}`"
        )
    known = {field.name: outputs[field.name] for field in fields(Stack)}
    network = known["network"] and Network(**{name: tuple(ids) for name, ids in known["network"].items()})
    lists = {name: tuple(known[name]) for name in ("classes", "image_prefixes")}
    return Stack(**{**known, **lists, "network": network})
