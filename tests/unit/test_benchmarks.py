"""The measurement of load reports every failure as LoadError; the table of staging times follows its measurements."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks import staging
from benchmarks.load import LoadError, measure_load
from tests.unit.staging.fakes import Site, serve


def test_refused_connection_is_a_load_error() -> None:
    # GIVEN a port at which no server listens
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    # WHEN / THEN
    with pytest.raises(LoadError, match=f"request to http://127.0.0.1:{port}/a failed: .*refused"):
        measure_load(f"http://127.0.0.1:{port}/a", b"", {}, clients=2, seconds=0.1)


def test_response_with_another_status_is_a_load_error() -> None:
    with serve(Site(b"")) as site, pytest.raises(LoadError, match="responded 501"):
        measure_load(site.url, b"", {}, clients=1, seconds=0.1)


def test_table_of_staging_times_is_printed_after_the_measurements(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN measurements that show a progress bar
    @contextmanager
    def emulator() -> Iterator[str]:
        yield "http://127.0.0.1"

    def measure(*arguments: Any) -> staging.FormatMeasurement:
        print("progress")
        return staging.FormatMeasurement(2, 1.0, 1.0, 1.0, 1.0)

    monkeypatch.setattr(staging, "emulator", emulator)
    monkeypatch.setattr(staging, "measure", measure)

    # WHEN
    staging.print_table(4)

    # THEN
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == ["progress", "progress", staging.HEAD]
    assert [line.split()[0] for line in lines[4:]] == ["images", "recordio", "ratio"]
