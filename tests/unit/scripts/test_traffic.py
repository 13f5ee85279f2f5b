"""`make traffic` plans arrivals from its options, and refuses invalid options and protected environments."""

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from evaluation.traffic import Traffic
from scripts.command.parser import Parser
from scripts.traffic import TrafficError, main, options, plan
from tests.unit.stacks import make_stack


def parse(*arguments: str) -> Namespace:
    """Return the parsed options of `make traffic`."""
    parser = Parser()
    options(parser)
    return parser.parse_args(arguments)


def test_default_is_five_images_per_second_for_a_minute_with_the_seed_1() -> None:
    settings, arrivals = plan(parse())
    assert settings == {"burst": None, "rate": 5, "seconds": 60, "seed": 1}
    assert arrivals == plan(parse("--rate=5", "--seconds=60", "--seed=1"))[1]


def test_all_images_of_a_burst_arrive_at_the_start() -> None:
    settings, arrivals = plan(parse("--burst=20"))
    assert settings["burst"] == len(arrivals) == 20
    assert {each.seconds for each in arrivals} == {0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--burst=5", "--rate=5"), "set either BURST, or RATE and SECONDS"),
        (("--rate=100", "--seconds=10000"), "must be at most 100000 images .got 1e.06"),
        (("--rate=0.001", "--seconds=1"), "no image arrives in 1 s at 0.001 images per second"),
    ],
)
def test_invalid_traffic_options_are_rejected(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(TrafficError, match=message):
        plan(parse(*arguments))


@pytest.mark.parametrize("argument", ["--rate=0", "--rate=x", "--rate=inf", "--seconds=-1", "--burst=0", "--seed=a"])
def test_error_names_an_invalid_number(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN
    with pytest.raises(SystemExit):
        parse(argument)

    # THEN
    name, _, value = argument.removeprefix("--").partition("=")
    assert f"{name.upper()} must be a " in (error := capsys.readouterr().err)
    assert f"(got '{value}')" in error


def test_traffic_is_refused_in_a_protected_environment(tmp_path: Path) -> None:
    # GIVEN
    environment: Any = SimpleNamespace(name="prod", options=parse(), stack=make_stack(protected=True))

    # WHEN / THEN
    with pytest.raises(TrafficError, match="prod is protected"):
        main(environment)


def test_figure_of_earlier_traffic_is_deleted_if_no_image_was_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an earlier figure, and traffic that is interrupted before the first upload
    (tmp_path / "traffic.png").write_bytes(b"earlier")
    for name in ("aws", "check_environment", "write_labels"):
        monkeypatch.setattr(f"scripts.traffic.{name}", MagicMock())
    monkeypatch.setattr("scripts.traffic.read_images", lambda environment, *, s3: ({}, []))
    traffic = Traffic(started=0, interruption=KeyboardInterrupt())
    monkeypatch.setattr("scripts.traffic.drive", lambda *arguments, **clients: traffic)
    environment: Any = SimpleNamespace(
        name="local", options=parse(), stack=make_stack(), directory=tmp_path, client=MagicMock()
    )

    # WHEN
    with pytest.raises(KeyboardInterrupt):
        main(environment)

    # THEN
    assert [path.name for path in tmp_path.iterdir()] == ["traffic.json"]
