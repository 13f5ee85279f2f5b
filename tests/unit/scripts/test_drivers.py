"""`make driver` shows a driver's item, and `make delete-driver` deletes the data only if CONFIRM equals ID."""

import argparse
from typing import Any, cast

import pytest

from common.errors import OperatorError
from evaluation.drivers import DriverStore
from scripts import drivers
from scripts.command.environment import Environment
from tests.unit.stacks import make_stack


class FakeEnvironment:
    """A command's environment without AWS clients, so that a test fails if it sends a request."""

    name = "dev"
    stack = make_stack()

    def __init__(self, **options: str) -> None:
        self.options = argparse.Namespace(**{"id": "", "confirm": "", **options})

    def client(self, service: str) -> Any:
        return None


@pytest.mark.parametrize("confirm", ["", "driver", "driver-10", "yes"])
def test_deletion_is_refused_if_confirm_differs_from_id(confirm: str) -> None:
    # GIVEN
    environment = cast(Environment, FakeEnvironment(action="delete", id="driver-1", confirm=confirm))

    # WHEN / THEN
    with pytest.raises(OperatorError, match="make delete-driver ENV=dev ID=driver-1 CONFIRM=driver-1") as raised:
        drivers.main(environment)
    assert f"(got CONFIRM={confirm!r})" in str(raised.value)


@pytest.mark.parametrize("action", ["show", "delete"])
@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_name_that_cannot_be_one_segment_of_a_key_is_refused(action: str, name: str) -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match="ID must be"):
        drivers.main(cast(Environment, FakeEnvironment(action=action, id=name, confirm=name)))


def test_show_refuses_a_name_with_a_non_ascii_letter() -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match="ID must be 1 to 64 letters"):
        drivers.main(cast(Environment, FakeEnvironment(action="show", id="José")))


def test_delete_accepts_a_name_that_show_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    deleted = []

    def delete(store: DriverStore, driver: str, **_: Any) -> tuple[int, int]:
        deleted.append(driver)
        return 2, 1

    monkeypatch.setattr(drivers, "delete_driver", delete)

    # WHEN
    drivers.main(cast(Environment, FakeEnvironment(action="delete", id="José", confirm="José")))

    # THEN
    assert deleted == ["José"]
    assert capsys.readouterr().out == "José: deleted object versions: 2, items: 1\n"


def test_name_is_quoted_in_the_command_that_the_error_suggests() -> None:
    # WHEN / THEN
    with pytest.raises(OperatorError, match="ENV=dev ID='a b;c' CONFIRM='a b;c'`"):
        drivers.main(cast(Environment, FakeEnvironment(action="delete", id="a b;c")))


def test_shown_lines_fit_80_columns_and_contain_the_command_that_shows_the_execution(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    def explain(store: DriverStore, driver: str, *, environment: str, dynamodb: Any) -> list[tuple[str, str]]:
        command = f"make execution ENV={environment} ID=some-execution"
        return [("image", "s3://bucket/" + "name/" * 30), ("execution", command)]

    monkeypatch.setattr(drivers, "explain_driver", explain)

    # WHEN
    drivers.main(cast(Environment, FakeEnvironment(action="show", id="zoe")))

    # THEN
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "execution  make execution ENV=dev ID=some-execution"
    assert max(map(len, lines)) == 80
