"""Read an environment's settings without Terraform, which needs credentials to plan."""

import json
from pathlib import Path
from typing import Any

import hcl2
from lark.exceptions import LarkError

from common.errors import OperatorError
from common.paths import TERRAFORM_DIRECTORY


def read_settings(environment: str) -> dict[str, Any]:
    """Return the root module's variables, as `terraform/environments/<environment>.tfvars` sets them or by default.

    Raises
    ------
    OperatorError
        A file is not valid HCL.
    """
    variables = _load(TERRAFORM_DIRECTORY / "variables.tf")["variable"]
    values = _load(TERRAFORM_DIRECTORY / "environments" / f"{environment}.tfvars")
    defaults = {json.loads(name): block.get("default") for each in variables for name, block in each.items()}
    return {name: _plain(values.get(name, default)) for name, default in defaults.items()}


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open() as stream:
            content: dict[str, Any] = hcl2.load(stream)
    except LarkError as error:
        raise OperatorError(f"{path} is not valid HCL: {str(error).splitlines()[0]}") from error
    return content


def _plain(value: Any) -> Any:
    """Return a value without the quotes that hcl2 keeps around strings."""
    return json.loads(value) if isinstance(value, str) and value.startswith('"') else value
