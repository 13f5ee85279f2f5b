"""`make lineage` traces either an execution or a model."""

import argparse

import pytest

from common.errors import OperatorError
from scripts.command.environment import Environment
from scripts.lineage import main


def test_execution_and_model_together_are_an_error() -> None:
    # GIVEN
    options = argparse.Namespace(execution="some-execution", model="v3", verify=False)

    # WHEN / THEN
    with pytest.raises(OperatorError, match=r"not both \(got EXECUTION=some-execution and MODEL=v3\)"):
        main(Environment("local", options))
