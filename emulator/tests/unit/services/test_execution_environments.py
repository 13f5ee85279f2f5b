"""Execution environments: real processes, used again, ended when idle."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sagelocal.core.process import start_time
from sagelocal.services.awslambda import pool as pool_module
from sagelocal.services.awslambda import runtime
from sagelocal.services.awslambda.function import Archive, Function, Logging
from sagelocal.services.awslambda.pool import ConcurrencyError, Pool

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def make_function(source: str = "import os\ndef main(event, context): return os.getpid()") -> Function:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("module.py", source)
    return Function(
        name="f",
        arn=ARN,
        version="$LATEST",
        region="us-east-1",
        handler="module.main",
        runtime="python3.12",
        memory=128,
        timeout=20,
        variables=(),
        code=Archive(hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue()),
        layers=(),
        logging=Logging("/aws/lambda/f"),
    )


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """An empty pool."""
    made = Pool(tmp_path / "lambda", {})
    yield made
    made.close()


def run(pool: Pool, function: Function, event: object = None, *, reserved: int | None = None) -> object:
    result = pool.invoke(function, json.dumps(event).encode(), arn=function.arn, reserved=reserved)
    assert not result.failed, result.payload
    return json.loads(result.payload)


def test_an_idle_environment_is_ended_and_its_folder_removed(pool: Pool, tmp_path: Path) -> None:
    # GIVEN
    function = make_function()
    process = run(pool, function)
    assert isinstance(process, int)
    # WHEN
    pool.reap(idle_seconds=3600)
    kept = start_time(process)
    pool.reap(idle_seconds=0)
    # THEN
    assert kept
    assert start_time(process) is None
    assert list((tmp_path / "lambda" / "environments").iterdir()) == []
    assert run(pool, function) != process


def test_a_retired_environment_finishes_what_it_does_and_is_not_used_again(pool: Pool, tmp_path: Path) -> None:
    # GIVEN one that runs until it is told to end
    source = (
        "import os, pathlib, time\n"
        "def main(event, context):\n"
        "    pathlib.Path(event, 'begun').touch()\n"
        "    while not pathlib.Path(event, 'end').exists(): time.sleep(0.01)\n"
        "    return os.getpid()\n"
    )
    function = make_function(source)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(run, pool, function, str(tmp_path))
        while not (tmp_path / "begun").exists():
            assert not running.done()
        # WHEN
        pool.retire(ARN)
        (tmp_path / "end").touch()
        first = running.result(timeout=20)
    # THEN
    assert run(pool, function, str(tmp_path)) != first


def test_no_more_run_at_once_than_are_reserved(pool: Pool) -> None:
    # GIVEN
    function = make_function()
    # WHEN / THEN
    run(pool, function, reserved=1)
    with pytest.raises(ConcurrencyError):
        run(pool, function, reserved=0)


def test_the_stand_in_for_the_c_client_runs_functions_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a runtime without awslambdaric's C extension, as on macOS
    laid_out = runtime.lay_out

    def without_extension(directory: Path) -> Path:
        laid_out(directory)
        for extension in directory.glob("runtime_client.*"):
            extension.unlink()
        (directory / runtime.STANDIN.name).symlink_to(runtime.STANDIN)
        return directory

    monkeypatch.setattr(pool_module, "lay_out", without_extension)
    pool = Pool(tmp_path / "lambda", {})
    function = make_function(
        "import runtime_client\n"
        "def main(event, context):\n"
        "    if event == 'fail': raise ValueError('no')\n"
        "    return [runtime_client.__file__[-3:], event]\n"
    )
    # WHEN / THEN
    try:
        assert [run(pool, function, event) for event in (1, "ü")] == [[".py", 1], [".py", "ü"]]
        failed = pool.invoke(function, b'"fail"', arn=ARN)
        assert json.loads(failed.payload)["errorType"] == "ValueError"
    finally:
        pool.close()
