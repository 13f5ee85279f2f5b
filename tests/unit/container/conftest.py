"""The container's modules by their own names, as they find each other inside it; and one small trained model."""

import sys
from pathlib import Path

import pytest

from tests.unit.container.jobs import CONTAINER, Job, draw_split

# scope of the import path: these modules import each other as neighbours, since a container has only their folder
sys.path.insert(0, str(CONTAINER))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that ran one epoch from scratch on 40 drawn images."""
    job = Job(tmp_path_factory.mktemp("trained"))
    draw_split(job.folder / "train", 40, seed=1)
    draw_split(job.folder / "validation", 12, seed=2)
    answer = job.run(classes="light,dark", pretrained=0, epochs=1, batch_size=16)
    assert answer.returncode == 0, answer.stderr
    return job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job with a few images in its channels, that has not run yet."""
    job = Job(tmp_path)
    draw_split(job.folder / "train", 4, seed=1)
    draw_split(job.folder / "validation", 4, seed=2)
    return job
