"""The functions by path: each is a `handler.py` of its own folder, as Lambda has it."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

LAMBDAS = Path(__file__).resolve().parents[3] / "lambdas"


def load_function(name: str) -> ModuleType:
    """Import `lambdas/<name>/handler.py` under a name that no other function has."""
    spec = importlib.util.spec_from_file_location(f"lambda_{name}", LAMBDAS / name / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # boto3's clients are made on import, and want a region
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def serialize() -> ModuleType:
    """Serialize's module."""
    return load_function("serialize")


@pytest.fixture(scope="session")
def classify() -> ModuleType:
    """Classify's module."""
    return load_function("classify")


@pytest.fixture(scope="session")
def filtering() -> ModuleType:
    """Filter's module, whose own name is Python's."""
    return load_function("filter")
