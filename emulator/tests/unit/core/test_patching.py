"""Every change of moto checks first that moto is what it was written for."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sagelocal.core.patching import CHANGES, MotoChangedError, add, replace

from .conftest import ROOT

LISTING = """
import json, tempfile, pathlib
from sagelocal.core.emulator import Emulator
from sagelocal.core.container_commands import Images
from sagelocal.core.install import install
from sagelocal.core.patching import CHANGES
with tempfile.TemporaryDirectory() as directory:
    emulator = Emulator("http://127.0.0.1:9", pathlib.Path(directory), {}, Images())
    install(emulator)
    print(json.dumps([[change.place, change.original is None] for change in CHANGES]))
    emulator.stop()
"""


class Moved:
    """A class of moto as an emulator may find it."""

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
    """A class to change, anew for each test; the changes made of it are forgotten."""
    known = len(CHANGES)
    yield type("Owner", (), dict(vars(Moved)))
    del CHANGES[known:]


def test_a_method_is_replaced_and_its_original_returned(owner: Any) -> None:
    # WHEN
    original = replace(owner, "invoke", lambda self, body, headers: "new", parameters=("body", "headers"))
    # THEN
    assert owner().invoke("a", "b") == "new"
    assert original(owner(), "a", "b") == "ab"
    assert CHANGES[-1].place.endswith("Owner.invoke")


def test_a_property_and_a_static_method_stay_what_they_are(owner: Any) -> None:
    # WHEN
    replace(owner, "attributes", lambda self: "new")
    replace(owner, "helper", lambda value: value + 1, parameters=("value",))
    # THEN
    assert owner().attributes == "new"
    assert (owner().helper(1), owner.helper(1)) == (2, 2)


def test_a_method_may_be_replaced_twice(owner: Any) -> None:
    # GIVEN
    replace(owner, "invoke", lambda self, *given: "first", parameters=("body", "headers"))
    # WHEN
    second = replace(owner, "invoke", lambda self, *given: "second", parameters=("body", "headers"))
    # THEN
    assert (owner().invoke(), second(owner())) == ("second", "first")


def test_a_method_that_moved_is_named(owner: Any) -> None:
    # WHEN / THEN
    with pytest.raises(MotoChangedError, match=r"moto 5\.\S+ has moved or renamed a method: .*Owner\.gone"):
        replace(owner, "gone", lambda self: None)


def test_other_parameters_are_named(owner: Any) -> None:
    # WHEN / THEN
    with pytest.raises(MotoChangedError, match=r"now takes \(body, headers\), not \(body\): .*Owner\.invoke"):
        replace(owner, "invoke", lambda self, body: None, parameters=("body",))
    assert owner().invoke("a", "b") == "ab"


def test_an_addition_that_moto_has_by_now_is_named(owner: Any) -> None:
    # GIVEN
    add(owner, "added", lambda self: 1)
    # WHEN / THEN
    assert owner().added() == 1
    with pytest.raises(MotoChangedError, match="by now has a method of its own"):
        add(owner, "invoke", lambda self: 1)


@pytest.fixture(scope="module")
def changes() -> dict[str, bool]:
    """Every change that the emulator makes, and whether it is an addition; made in a process of its own."""
    listing = subprocess.run(
        [sys.executable, "-c", LISTING], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert listing.returncode == 0, listing.stderr
    return dict(json.loads(listing.stdout.splitlines()[-1]))


def test_the_installed_moto_takes_every_change(changes: dict[str, bool]) -> None:
    # THEN
    assert len(changes) > 20
    assert all(place.startswith("moto.") for place in changes)


@pytest.mark.parametrize(
    "place",
    [
        "moto.awslambda.models.LambdaBackend.invoke",
        "moto.awslambda.models.LambdaFunction.invoke",
        "moto.s3.models.FakeBucket.get_permission",
    ],
)
def test_what_runs_for_real_goes_through_the_registry(changes: dict[str, bool], place: str) -> None:
    # THEN
    assert changes[place] is False
