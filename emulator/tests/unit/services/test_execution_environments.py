"""The pool of Lambda execution environments: reuse, idle time, concurrency and reserved concurrency."""

import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sagelocal.core.backlog import Backlog
from sagelocal.core.process import start_time
from sagelocal.services.awslambda import pool as pool_module
from sagelocal.services.awslambda import runtime
from sagelocal.services.awslambda.errors import TooManyRequestsError
from sagelocal.services.awslambda.pool import Pool

from .functions import ARN, make_function, run


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Return a pool without environments."""
    pool = Pool(tmp_path / "lambda", {}, Backlog())
    yield pool
    pool.close()


def test_idle_environment_ends_and_its_directory_is_deleted(pool: Pool, tmp_path: Path) -> None:
    # GIVEN
    function = make_function()
    pid = run(pool, function)
    assert isinstance(pid, int)
    # WHEN environments are ended that have been idle for an hour, and then all idle environments
    pool.reap(idle_seconds=3600)
    still_running = start_time(pid)
    pool.reap(idle_seconds=0)
    # THEN
    assert still_running
    assert start_time(pid) is None
    assert list((tmp_path / "lambda" / "environments").iterdir()) == []
    assert run(pool, function) != pid


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that functions share with the test. It is outside /tmp, because functions have their own /tmp."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        yield Path(directory)


def test_retired_environment_finishes_its_invocation_and_is_not_reused(pool: Pool, shared: Path) -> None:
    # GIVEN a function that runs until the file `end` exists
    source = (
        "import os, pathlib, time\n"
        "def main(event, context):\n"
        "    pathlib.Path(event, 'started').touch()\n"
        "    while not pathlib.Path(event, 'end').exists(): time.sleep(0.01)\n"
        "    return os.getpid()\n"
    )
    function = make_function(source)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(run, pool, function, str(shared))
        while not (shared / "started").exists():
            assert not running.done()
        # WHEN the environments of the function are retired during an invocation
        pool.retire(ARN)
        (shared / "end").touch()
        first = running.result(timeout=20)
    # THEN the invocation has succeeded, and the next one runs in another process
    assert run(pool, function, str(shared)) != first


def test_burst_of_short_invocations_starts_few_environments(pool: Pool) -> None:
    # GIVEN a function whose environment needs one second to start
    function = make_function("import os, time\ntime.sleep(1)\ndef main(event, context): return os.getpid()")
    # WHEN
    with ThreadPoolExecutor(pool_module.MAX_CONCURRENCY) as threads:
        pids = set(threads.map(lambda _: run(pool, function), range(pool_module.MAX_CONCURRENCY)))
    # THEN invocations have reused environments that other invocations had started
    assert len(pids) <= 3 * pool_module.MAX_STARTING < pool_module.MAX_CONCURRENCY


def test_long_invocations_run_concurrently(pool: Pool, shared: Path) -> None:
    # GIVEN a function that runs until five invocations have started
    source = (
        "import pathlib, time\n"
        "def main(event, context):\n"
        "    pathlib.Path(event[0], str(event[1])).touch()\n"
        "    while len(list(pathlib.Path(event[0]).iterdir())) < 5: time.sleep(0.01)\n"
    )
    # WHEN five invocations run at the same time, THEN none of them times out
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda number: run(pool, make_function(source), [str(shared), number]), range(5)))


def test_reserved_concurrency_is_enforced(pool: Pool) -> None:
    # GIVEN
    function = make_function()
    # WHEN / THEN an invocation succeeds with a reserved concurrency of 1, and is refused with 0
    run(pool, function, reserved=1)
    with pytest.raises(TooManyRequestsError):
        run(pool, function, reserved=0)


def test_functions_run_without_the_c_extension_of_awslambdaric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a runtime that has the fallback client in Python instead of the C extension, as on macOS
    original = runtime.create_runtime

    def without_extension(directory: Path) -> Path:
        original(directory)
        for extension in directory.glob("runtime_client.*"):
            extension.unlink()
        (directory / runtime.FALLBACK_CLIENT.name).symlink_to(runtime.FALLBACK_CLIENT)
        return directory

    monkeypatch.setattr(pool_module, "create_runtime", without_extension)
    pool = Pool(tmp_path / "lambda", {}, Backlog())
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


def test_process_of_an_environment_is_registered_with_the_watchdog(tmp_path: Path) -> None:
    # GIVEN
    registered: list[int] = []
    pool = Pool(tmp_path / "lambda", {}, Backlog(), watch=registered.append)

    # WHEN
    pid = run(pool, make_function())

    # THEN
    assert registered == [pid]
    pool.close()
