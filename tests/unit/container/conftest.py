"""Fixtures: a job that has not run, and a small trained model that all tests share."""

import os

# PyTorch reads these variables when it is imported. One thread is enough for the small tensors of these tests; more
# threads would compete with the tests that run in parallel.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.container.jobs import CONTAINER, SETTINGS, Job, draw_job


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A completed training job, run in a separate process by `train.py` in a copy of container/, as on SageMaker."""
    job = draw_job(tmp_path_factory.mktemp("trained"))
    code = job.folder / "code"
    shutil.copytree(CONTAINER, code, ignore=shutil.ignore_patterns("__pycache__"))
    result = subprocess.run(
        [sys.executable, "train.py", "--epochs", "1"],  # the SDK passes the hyperparameters as arguments as well
        cwd=code,
        env=job.environment(**SETTINGS),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    (job.folder / "log").write_text(result.stdout)
    return job


@pytest.fixture
def _no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the ONNX export, which is slow, in jobs that run in this process."""
    from training.container.classifier import artifacts

    monkeypatch.setattr(artifacts, "export", lambda *_: None)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A training job that has four training and four validation images, and has not run yet."""
    return draw_job(tmp_path, train=4, validation=4)
