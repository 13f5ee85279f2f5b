"""Fixtures with the modules of the Lambda functions, which are imported by path, because each is named `handler.py`."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

LAMBDAS = Path(__file__).resolve().parents[3] / "lambdas"
NAMES = ("serialize", "classify", "filter", "classify_batch", "summarize")


def load_function(name: str) -> ModuleType:
    """Import `lambdas/<name>/handler.py` under a unique module name."""
    spec = importlib.util.spec_from_file_location(f"lambda_{name}", LAMBDAS / name / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # the import creates boto3 clients, which need a region
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def functions() -> dict[str, ModuleType]:
    """Return the module of each Lambda function, by the function's name."""
    return {name: load_function(name) for name in NAMES}


@pytest.fixture(scope="session")
def serialize(functions: dict[str, ModuleType]) -> ModuleType:
    """Return the module of the function serialize."""
    return functions["serialize"]


@pytest.fixture(scope="session")
def classify(functions: dict[str, ModuleType]) -> ModuleType:
    """Return the module of the function classify."""
    return functions["classify"]


@pytest.fixture(scope="session")
def filtering(functions: dict[str, ModuleType]) -> ModuleType:
    """Return the module of the function filter, under a different name, because `filter` is a Python built-in."""
    return functions["filter"]


@pytest.fixture(scope="session")
def classify_batch(functions: dict[str, ModuleType]) -> ModuleType:
    """Return the module of the function classify_batch."""
    return functions["classify_batch"]


@pytest.fixture(scope="session")
def summarize(functions: dict[str, ModuleType]) -> ModuleType:
    """Return the module of the function summarize."""
    return functions["summarize"]
