"""The packages follow the import rules of docs/architecture.md."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.paths import ROOT

# Each package may import only itself, packages to its left, and training.container, which imports only itself
PACKAGES = ("common", "staging", "training", "registry", "evaluation", "deployment", "scripts")
CLASSIFIER = "classifier"  # the package that train.py and inference.py import inside the container
PROJECT = {*PACKAGES, "lambdas", "benchmarks", "tests", CLASSIFIER}
OUTSIDE_EMULATOR = (*PACKAGES, "lambdas", "benchmarks", "tests")
PYTEST_PLUGIN = "sagelocal.pytest_plugin"


def source_files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.py"))
    assert files, f"{folder} has no Python files"
    return files


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the absolute name of every module or member that a file imports, including imports inside functions."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def violations(folder: Path, forbidden: set[str], *, allowed: str | None = None) -> list[str]:
    """Return a line for each import of a forbidden top-level package, except imports from the module `allowed`."""
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in source_files(folder)
        for module in imported_modules(path)
        if module.partition(".")[0] in forbidden and not (allowed and f"{module}.".startswith(f"{allowed}."))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_only_packages_to_its_left(package: str) -> None:
    allowed = PACKAGES[: PACKAGES.index(package) + 1]

    assert violations(ROOT / package, PROJECT - {*allowed, CLASSIFIER}, allowed="training.container") == []


def test_lambda_functions_import_nothing_of_the_project() -> None:
    assert violations(ROOT / "lambdas", PROJECT) == []


def test_container_code_imports_only_itself() -> None:
    assert violations(ROOT / "training" / "container", PROJECT - {CLASSIFIER}, allowed="training.container") == []


def test_scripts_do_not_import_each_other_except_the_package_command() -> None:
    assert violations(ROOT / "scripts", {"scripts"}, allowed="scripts.command") == []


@pytest.mark.parametrize("folder", OUTSIDE_EMULATOR)
def test_project_does_not_import_the_emulator(folder: str) -> None:
    allowed = PYTEST_PLUGIN if folder == "tests" else None

    assert violations(ROOT / folder, {"emulator", "sagelocal"}, allowed=allowed) == []


def test_emulator_imports_nothing_of_the_project() -> None:
    assert violations(ROOT / "emulator", PROJECT) == []


def test_commands_that_compute_nothing_start_without_numpy() -> None:
    # NumPy would double the time in which such a command starts
    code = "import sys; from scripts import models, provision, train; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
