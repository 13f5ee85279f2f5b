"""Patches of moto: replacing and adding methods, and errors if moto no longer has the expected methods."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sagelocal.core.patching import PATCHES, MotoChangedError, add, replace

# A program that installs all services, and prints each patch and whether it adds a method
LIST_PATCHES = """
import json, tempfile, pathlib
from sagelocal.core.emulator import Emulator
from sagelocal.core.container_commands import Images
from sagelocal.core.install import install
from sagelocal.core.patching import PATCHES
with tempfile.TemporaryDirectory() as directory:
    emulator = Emulator("http://127.0.0.1:9", pathlib.Path(directory), {}, Images())
    install(emulator)
    print(json.dumps([[patch.target, patch.original is None] for patch in PATCHES]))
    emulator.stop()
"""


class Original:
    """A class with the kinds of members that patches replace in moto."""

    def invoke(self, body: str, headers: str) -> str:
        return body + headers

    @property
    def attributes(self) -> str:
        return "original"

    @staticmethod
    def helper(value: int) -> int:
        return value


@pytest.fixture
def owner() -> Iterator[type[Any]]:
    """A new class that a test can patch. Its patches are removed from PATCHES after the test."""
    known = len(PATCHES)
    yield type("Owner", (), dict(vars(Original)))
    del PATCHES[known:]


def test_replace_returns_the_original_method(owner: Any) -> None:
    # WHEN
    original = replace(owner, "invoke", lambda self, body, headers: "new", parameters=("body", "headers"))
    # THEN
    assert owner().invoke("a", "b") == "new"
    assert original(owner(), "a", "b") == "ab"
    assert PATCHES[-1].target.endswith("Owner.invoke")


def test_replaced_property_and_static_method_keep_their_kind(owner: Any) -> None:
    # WHEN
    replace(owner, "attributes", lambda self: "new")
    replace(owner, "helper", lambda value: value + 1, parameters=("value",))
    # THEN
    assert owner().attributes == "new"
    assert (owner().helper(1), owner.helper(1)) == (2, 2)


def test_second_replacement_returns_the_first_one(owner: Any) -> None:
    # GIVEN
    replace(owner, "invoke", lambda self, *arguments: "first", parameters=("body", "headers"))
    # WHEN
    second = replace(owner, "invoke", lambda self, *arguments: "second", parameters=("body", "headers"))
    # THEN
    assert (owner().invoke(), second(owner())) == ("second", "first")


def test_missing_method_is_reported(owner: Any) -> None:
    # WHEN / THEN
    with pytest.raises(MotoChangedError, match=r"cannot patch .*Owner\.gone: moto 5\.\S+ does not have it;"):
        replace(owner, "gone", lambda self: None)


def test_changed_parameters_are_reported(owner: Any) -> None:
    # WHEN / THEN
    with pytest.raises(
        MotoChangedError, match=r"Owner\.invoke: moto 5\.\S+ has the parameters \(body, headers\), not \(body\)"
    ):
        replace(owner, "invoke", lambda self, body: None, parameters=("body",))
    assert owner().invoke("a", "b") == "ab"


def test_adding_a_method_that_moto_already_has_is_reported(owner: Any) -> None:
    # GIVEN
    add(owner, "added", lambda self: 1)
    # WHEN / THEN
    assert owner().added() == 1
    with pytest.raises(MotoChangedError, match=r"Owner\.invoke: moto 5\.\S+ already has it"):
        add(owner, "invoke", lambda self: 1)


@pytest.fixture(scope="module")
def patches() -> dict[str, bool]:
    """All patches: the path of the patched object in moto, and whether moto lacks this object."""
    listing = subprocess.run(
        [sys.executable, "-c", LIST_PATCHES], capture_output=True, text=True, check=False, timeout=120
    )
    assert listing.returncode == 0, listing.stderr
    return dict(json.loads(listing.stdout.splitlines()[-1]))


def test_every_patch_applies_to_the_installed_moto(patches: dict[str, bool]) -> None:
    # THEN
    assert len(patches) > 20
    assert all(target.startswith("moto.") for target in patches)


@pytest.mark.parametrize(
    "target",
    [
        "moto.awslambda.models.LambdaBackend.invoke",
        "moto.awslambda.models.LambdaFunction.invoke",
        "moto.s3.models.FakeBucket.get_permission",
    ],
)
def test_important_patches_replace_existing_methods(patches: dict[str, bool], target: str) -> None:
    # THEN
    assert patches[target] is False
