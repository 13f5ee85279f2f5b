"""The installed PyTorch version and the PyTorch version of AWS's training image export the same model."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.unit.container.jobs import CONTAINER

pytestmark = pytest.mark.real

# NumPy generates the same weights for both versions, because PyTorch's initialization may differ between them. The
# weights of the pretrained body come from its package.
EXPORT = """
import sys
from pathlib import Path
import numpy as np, torch
from classifier.data import Split
from classifier.embedding import EmbeddingNetwork
from classifier.export import export
from classifier.networks import CalibratedNetwork, make_network
pretrained = sys.argv[1] == "pretrained"
network = make_network(classes=3, pretrained=pretrained)
generator = np.random.default_rng(0)
with torch.no_grad():
    network.head.bias.zero_()
    for name, tensor in sorted((network.head if pretrained else network).state_dict().items()):
        if tensor.ndim > 1 and len(tensor) > 1:
            scale = (2 / np.prod(tensor.shape[1:])) ** 0.5
            tensor.copy_(torch.from_numpy(generator.normal(0, scale, tuple(tensor.shape))))
images = generator.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
split = Split(tuple(map(str, range(8))), images, np.zeros(8, np.int64))
calibrated = CalibratedNetwork(network, 1.5 if pretrained else 20.0)
export(EmbeddingNetwork(calibrated, torch.from_numpy(images)), split, Path(sys.argv[2]))
print(torch.__version__)
"""


@pytest.fixture(scope="module")
def other_python() -> str:
    """A Python interpreter that has another PyTorch version and the packages of training/container/requirements.txt."""
    path = os.environ.get("TORCH_PYTHON")
    if not path:
        pytest.skip("TORCH_PYTHON is not set to a Python with the training image's version of PyTorch")
    return path


@pytest.mark.parametrize("network", ["scratch", "pretrained"])
def test_both_versions_export_the_same_model(other_python: str, tmp_path: Path, network: str) -> None:
    # GIVEN
    sessions = []
    for name, python in (("installed", sys.executable), ("other", other_python)):
        path = tmp_path / f"{name}.onnx"
        exporting = subprocess.run(
            [python, "-W", "ignore", "-c", EXPORT, network, str(path)], cwd=CONTAINER, capture_output=True, text=True
        )
        assert exporting.returncode == 0, exporting.stderr
        print(f"{name}: PyTorch {exporting.stdout.split()[-1]}")
        sessions.append(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]))
    images = np.random.default_rng(1).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)

    # WHEN
    installed, other = (session.run(None, {"images": images})[0] for session in sessions)

    # THEN
    interfaces = [
        [(each.name, each.type, each.shape) for each in (*session.get_inputs(), *session.get_outputs())]
        for session in sessions
    ]
    assert interfaces[0] == interfaces[1]
    np.testing.assert_allclose(installed, other, rtol=0, atol=1e-5)
    assert np.ptp(installed, axis=0).max() > 1e-4  # the probabilities depend on the image
