from pathlib import Path

import pytest

from common.errors import OperatorError
from deployment import settings as module
from deployment.settings import read_settings


def test_settings_of_an_environment_override_the_defaults() -> None:
    # WHEN
    settings = read_settings("prod")

    # THEN
    assert (settings["environment"], settings["endpoint_instance_count"]) == ("prod", 2)
    assert (settings["region"], settings["endpoint_instance_type"]) == ("us-east-1", "ml.m5.xlarge")
    assert (settings["serverless"], settings["training_spot"]) == (None, False)


def test_file_with_a_syntax_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(module, "TERRAFORM_DIRECTORY", tmp_path)
    (tmp_path / "variables.tf").write_text('variable "region" {\n')

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"variables\.tf is not valid HCL: Unexpected") as caught:
        read_settings("dev")
    assert "\n" not in str(caught.value)
