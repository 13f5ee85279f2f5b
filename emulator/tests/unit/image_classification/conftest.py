"""Fixtures for the tests of the image classification algorithm."""

from pathlib import Path

import pytest
import torch

from .examples import Job


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A training job that succeeds unless a test changes it."""
    return Job(tmp_path, monkeypatch)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Use one thread: more threads do not speed up networks this small, and slow down a busy machine."""
    torch.set_num_threads(1)
