"""The directories /tmp and /opt of Lambda execution environments, on machines with and without mount namespaces."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sagelocal.core.backlog import Backlog
from sagelocal.services.awslambda import namespaces
from sagelocal.services.awslambda.pool import Pool

from .functions import make_function, run

WRITE_AND_READ = """import os, pathlib, time
def main(event, context):
    file = pathlib.Path(event[0], "image.bin")
    file.write_text(event[1])
    time.sleep(0.02)
    return [file.read_text(), os.getpid()]
"""


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """Return a pool without environments."""
    pool = Pool(tmp_path / "lambda", {}, Backlog())
    yield pool
    pool.close()


def test_concurrent_invocations_have_separate_tmp_directories(pool: Pool) -> None:
    # GIVEN a function that writes a text to a file in /tmp, and reads the file after a pause
    function, texts = make_function(WRITE_AND_READ), [str(number) for number in range(8)]
    # WHEN
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda text: run(pool, function, ["/tmp", text]), texts))  # noqa: S108
    # THEN
    assert [result[0] for result in results if isinstance(result, list)] == texts


def test_warm_environment_keeps_its_own_tmp_directory(pool: Pool, tmp_path: Path) -> None:
    # GIVEN
    if not namespaces.are_allowed(tmp_path):
        pytest.skip("this machine does not allow mount namespaces")
    function = make_function(
        "import os\ndef main(event, context):\n    os.mkdir(event)\n    return os.listdir('/tmp')\n"
    )
    # WHEN
    run(pool, function, "/tmp/first")  # noqa: S108
    listed = run(pool, function, "/tmp/second")  # noqa: S108
    # THEN
    assert isinstance(listed, list)
    assert {"first", "second"} <= set(listed)
    assert not Path("/tmp/first").exists()  # noqa: S108


def test_mount_namespaces_can_be_used_from_a_working_directory_in_tmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.chdir("/")
    allowed = namespaces.are_allowed(tmp_path)
    # WHEN
    with TemporaryDirectory(dir="/tmp") as directory:
        monkeypatch.chdir(directory)
        # THEN
        assert namespaces.are_allowed(tmp_path) == allowed
        monkeypatch.chdir("/")


def test_opt_contains_the_layers_and_prefers_files_of_the_last_layer(pool: Pool, tmp_path: Path) -> None:
    # GIVEN a function that fails if it can write to /opt, and two layers that both contain `module.py`
    if not namespaces.are_allowed(tmp_path):
        pytest.skip("this machine does not allow mount namespaces")
    function = make_function(
        "import os, pathlib\n"
        "def main(event, context):\n"
        "    try: pathlib.Path('/opt/new').touch()\n"
        "    except OSError as error: print(error)\n"
        "    else: raise AssertionError('/opt is writable')\n"
        "    return [pathlib.Path('/opt/module.py').read_text(), '/opt/bin' in os.environ['PATH'].split(':')]\n"
    )
    layers = tuple(make_function(text).code for text in ("1", "2"))
    # WHEN / THEN
    assert run(pool, replace(function, layers=layers)) == ["2", True]


def test_without_namespaces_each_function_has_one_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a machine that does not allow mount namespaces
    monkeypatch.setattr(namespaces, "OPT", tmp_path / "missing")
    pool, function = Pool(tmp_path / "lambda", {}, Backlog()), make_function(WRITE_AND_READ)
    # WHEN
    try:
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda text: run(pool, function, [str(tmp_path), text]), "abcd"))
    finally:
        pool.close()
    # THEN
    assert [result[0] for result in results if isinstance(result, list)] == list("abcd")
    assert len({result[1] for result in results if isinstance(result, list)}) == 1
    assert "does not allow mount namespaces" in capsys.readouterr().err


def test_interpreter_in_tmp_is_mounted_at_its_path_in_the_private_tmp(tmp_path: Path) -> None:
    # GIVEN
    interpreter, tmp, opt = Path("/tmp/venv"), tmp_path / "private", tmp_path / "opt"  # noqa: S108
    # WHEN
    command = namespaces.command_prefix(tmp=tmp, opt=opt, kept=[interpreter / "lib", interpreter, Path("/usr")])
    # THEN
    assert json.loads(command[-1]) == [
        [str(interpreter), str(tmp / "venv"), True],
        [str(opt), "/opt", True],
        [str(tmp), "/tmp", False],  # noqa: S108
    ]
    assert (tmp / "venv").is_dir()
