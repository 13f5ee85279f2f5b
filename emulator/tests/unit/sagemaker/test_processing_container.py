"""Processing containers on machines with and without mount namespaces."""

import json
import subprocess
from pathlib import Path

import pytest

from sagelocal.core import mounts
from sagelocal.services.sagemaker.processing_container import ProcessingContainer

ENTRY = ["python3", "/opt/ml/processing/input/code/run.py"]


def test_container_paths_in_scripts_are_replaced_without_namespaces(tmp_path: Path) -> None:
    # GIVEN two scripts and a data file that contain a path below /opt/ml
    container = ProcessingContainer.create(tmp_path / "ml", number=1, count=1, isolated=False)
    code = container.folder("/opt/ml/processing/input/code")
    for name in ("run.py", "run.sh", "data.csv"):
        (code / name).write_text("/opt/ml/processing/input")
    # WHEN
    container.localize_scripts()
    container.configure({"LocalPath": "/opt/ml/processing/input/code"})
    # THEN the path is replaced in the scripts, the configuration and the command, but not in the data
    inputs = str(tmp_path / "ml/processing/input")
    assert [(code / name).read_text() for name in ("run.py", "run.sh")] == [inputs, inputs]
    assert (code / "data.csv").read_text() == "/opt/ml/processing/input"
    config = json.loads((tmp_path / "ml/config/processingjobconfig.json").read_text())
    assert config == {"LocalPath": f"{inputs}/code"}
    assert [container.localize(part) for part in container.command(ENTRY)] == ["python3", f"{inputs}/code/run.py"]


def test_only_ml_is_replaced_in_opt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a machine whose /opt contains a directory, a file, a link, and the directory `ml`, which is replaced
    if not mounts.can_replace_opt():
        pytest.skip("this machine does not allow mount namespaces")
    opt, source, scratch = tmp_path / "opt", tmp_path / "source", tmp_path / "scratch"
    for folder in (opt / "python", opt / "ml", source, scratch):
        folder.mkdir(parents=True)
    (opt / "python" / "lib").touch()
    (opt / "file").write_text("text")
    (opt / "link").symlink_to("python")
    (opt / "ml" / "old").touch()
    (source / "new").touch()
    monkeypatch.setattr(mounts, "OPT", opt)
    # WHEN a program lists the files in /opt
    command = [*mounts.command_prefix(mounts.opt_with("ml", source, scratch)), "--", "find", str(opt), "-type", "f"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # THEN the program finds the new `ml`, and the machine's own files
    assert sorted(done.stdout.split()) == [str(opt / name) for name in ("file", "ml/new", "python/lib")]
    assert sorted(path.name for path in (scratch / "ml").iterdir()) == []
    assert (scratch / "link").is_symlink()
