"""What the benchmark holds ONNX Runtime against: the same network, run by PyTorch behind the same server."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.serving import lay_out_eager
from tests.unit.container.jobs import Job

ASK = """
import inference
model = inference.model_fn("..")
body = open({image!r}, "rb").read()
print(inference.transform_fn(model, body, "image/png", "application/json")[0])
"""


def test_the_eager_models_folder_has_all_that_answers_an_image(trained: Job, tmp_path: Path) -> None:
    # GIVEN
    lay_out_eager(trained.model, tmp_path / "eager")
    image = trained.folder / "train" / "image_0.png"

    # WHEN it is asked where nothing else is at hand
    answer = subprocess.run(
        [sys.executable, "-c", ASK.format(image=str(image))],
        cwd=tmp_path / "eager" / "code",
        capture_output=True,
        text=True,
    )

    # THEN
    assert answer.returncode == 0, answer.stderr
    assert len(json.loads(answer.stdout)) == 2
