"""Find and restore Lambda function code that was replaced outside Terraform.

The provider compares `source_code_hash` with its value in the state and not with the deployed code, so a plan does not
show that the code was replaced:
https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/lambda_function#source_code_hash-1
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.names import resource_prefix

ARCHIVES = Path("build/lambdas")  # `make lambdas` writes a zip file for each function


class FunctionCode:
    """The code of an environment's Lambda functions.

    Parameters
    ----------
    environment : name of the environment
    deployed : base64-encoded SHA-256 of the code that Terraform deployed, by function name
    awslambda : Lambda client
    archives : directory of the built zip files
    """

    def __init__(
        self, environment: str, deployed: Mapping[str, str], *, awslambda: Any, archives: Path = ARCHIVES
    ) -> None:
        self._prefix = resource_prefix(environment)
        self._deployed = deployed
        self._lambda = awslambda
        self._archives = archives

    def replaced(self) -> list[str]:
        """Return the names of the functions that run neither the code that Terraform deployed nor the built code."""
        return [name for name, deployed in self._deployed.items() if self._is_replaced(name, deployed)]

    def restore(self, name: str) -> None:
        """Deploy a function's built zip file, and wait until the function has been updated."""
        self._lambda.update_function_code(FunctionName=name, ZipFile=self._archive(name).read_bytes())
        self._lambda.get_waiter("function_updated_v2").wait(FunctionName=name)

    def _is_replaced(self, name: str, deployed: str) -> bool:
        try:
            live = self._lambda.get_function(FunctionName=name)["Configuration"]["CodeSha256"]
        except self._lambda.exceptions.ResourceNotFoundException:
            return False  # the next apply creates the function again, with the built code
        return live not in (deployed, sha256(self._archive(name).read_bytes()))

    def _archive(self, name: str) -> Path:
        return self._archives / f"{name.removeprefix(self._prefix)}.zip"


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a zip file in the format of Lambda's `CodeSha256`, which is base64."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
