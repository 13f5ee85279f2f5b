"""Terraform sets all environment variables of a model package on the model too.

AWS may replace the model package's variables with those of the model, instead of merging both.
"""

import hcl2

from common.paths import TERRAFORM_DIRECTORY
from registry.model_registry import SERVING
from training import packages


def test_terraform_sets_every_variable_of_a_model_package() -> None:
    # GIVEN
    module = hcl2.loads((TERRAFORM_DIRECTORY / "modules" / "model" / "main.tf").read_text())

    # WHEN
    environment = next(block["environment"] for block in module["locals"] if "environment" in block)

    # THEN
    for name, value in {**SERVING, **packages.SERVING}.items():
        assert name in str(environment)
        assert f'"{value}"' in str(environment)
