"""The containers' requirements are exact versions, complete, and compatible with each other."""

import re
from importlib.metadata import requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from common.paths import TERRAFORM_DIRECTORY
from tests.unit.container.jobs import CONTAINER
from training.packages import PYTHON, REQUIREMENTS

# packages in AWS's images: https://github.com/aws/deep-learning-containers, pytorch/*/docker/*/py3/Dockerfile.cpu
IN_IMAGE = {"numpy", "packaging", "sympy", "torch", "typing-extensions"}


def pinned(purpose: str) -> dict[str, str]:
    """Return the version of each package in a container's requirements, and check that all versions are exact."""
    lines = [line for line in (CONTAINER / REQUIREMENTS[purpose]).read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+", line) for line in lines), lines
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("purpose", REQUIREMENTS)
def test_requirements_are_the_installed_versions(purpose: str) -> None:
    # The tests export and serve models with the installed versions, and emulated jobs use them as well.
    assert pinned(purpose) == {name: version(name) for name in pinned(purpose)}


def test_training_requirements_contain_the_serving_requirements() -> None:
    assert pinned("serving").items() <= pinned("training").items()


@pytest.mark.parametrize("purpose", REQUIREMENTS)
def test_every_dependency_is_compatible_and_pinned_or_in_the_image(purpose: str) -> None:
    versions = pinned(purpose)
    for name in versions:
        for text in requires(name) or ():
            requirement = Requirement(text)
            dependency = canonicalize_name(requirement.name)
            if requirement.marker and not requirement.marker.evaluate({"python_version": PYTHON[purpose], "extra": ""}):
                continue
            assert dependency in versions or dependency in IN_IMAGE, f"{name} needs {text}"
            assert dependency not in versions or versions[dependency] in requirement.specifier, f"{name} needs {text}"


def test_wheels_are_for_the_python_versions_of_the_images() -> None:
    images = (TERRAFORM_DIRECTORY / "modules" / "training" / "main.tf").read_text()
    tags = re.findall(r'"pytorch-(\w+)"\s+image_tag\s+=\s"[^"]+-py(\d)(\d+)"', images)
    assert {name: f"{major}.{minor}" for name, major, minor in tags} == {
        "training": PYTHON["training"],
        "inference": PYTHON["serving"],
    }
