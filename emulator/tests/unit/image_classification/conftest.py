"""Fixtures for the tests of the substitute for AWS's image classification algorithm."""

from pathlib import Path

import pytest
import torch

from .examples import Job


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """The files of a training job, which succeeds unless a test changes them."""
    return Job(tmp_path, monkeypatch)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Use one thread, because more threads do not speed up such small networks, and slow down a busy machine."""
    torch.set_num_threads(1)
