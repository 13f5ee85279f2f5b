"""Fixtures that import the functions by path, because each is a `handler.py` in its own folder."""

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
    """Return the modules of all functions, by name."""
    return {name: load_function(name) for name in NAMES}


@pytest.fixture(scope="session")
def serialize(functions: dict[str, ModuleType]) -> ModuleType:
    """Return serialize's module."""
    return functions["serialize"]


@pytest.fixture(scope="session")
def classify(functions: dict[str, ModuleType]) -> ModuleType:
    """Return classify's module."""
    return functions["classify"]


@pytest.fixture(scope="session")
def filtering(functions: dict[str, ModuleType]) -> ModuleType:
    """Return filter's module; `filter` is a Python built-in."""
    return functions["filter"]


@pytest.fixture(scope="session")
def classify_batch(functions: dict[str, ModuleType]) -> ModuleType:
    """Return classify_batch's module."""
    return functions["classify_batch"]


@pytest.fixture(scope="session")
def summarize(functions: dict[str, ModuleType]) -> ModuleType:
    """Return summarize's module."""
    return functions["summarize"]
