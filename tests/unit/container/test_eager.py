"""The model that runs with eager PyTorch, with which the serving benchmark compares ONNX Runtime."""

from pathlib import Path

from benchmarks.serving import write_eager_model
from tests.unit.container.jobs import Job, predict_in_process


def test_eager_model_runs_with_only_the_modules_in_its_folder(trained: Job, tmp_path: Path) -> None:
    # GIVEN
    write_eager_model(trained.model, tmp_path / "eager")

    # WHEN
    probabilities = predict_in_process(tmp_path / "eager" / "code", trained.folder / "train" / "image_0.png")

    # THEN
    assert len(probabilities) == 2
