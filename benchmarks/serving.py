"""A model behind its four serving functions, and how its speed compares with eager PyTorch's."""

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

WARM_UP, CALLS = 20, 200


class Server:
    """What AWS's PyTorch inference image does with a model folder, in this process."""

    def __init__(self, model: Path) -> None:
        self._code = _load(model / "code" / "inference.py")
        self._model = self._code.model_fn(str(model))

    def answer(self, body: bytes, content_type: str = "image/png") -> list[float]:
        """Probabilities, one a class."""
        read = self._code.input_fn(body, content_type)
        answer, _ = self._code.output_fn(self._code.predict_fn(read, self._model), "application/json")
        probabilities: list[float] = json.loads(answer)
        return probabilities


@dataclass(frozen=True)
class Latency:
    """Milliseconds from one image's bytes to its answer, by one thread."""

    p50: float
    p99: float


def compare(model: Path, body: bytes, *, classes: int, pretrained: bool) -> tuple[Latency, Latency]:
    """Latency of the exported model, and of the same network in eager PyTorch behind the same decoder."""
    server = Server(model)
    return _measure(lambda: server.answer(body)), _measure(_eager(model, body, classes, pretrained))


def _eager(model: Path, body: bytes, classes: int, pretrained: bool) -> Callable[[], object]:
    # the network's time does not depend on what its weights learned
    import torch

    from benchmarks.training import CONTAINER

    code = _load(model / "code" / "inference.py")
    sys.path.insert(0, str(CONTAINER))
    try:
        networks = _load(CONTAINER / "networks.py")
    finally:
        sys.path.remove(str(CONTAINER))
    network = networks.Probabilities(networks.make_network(classes=classes, pretrained=pretrained), 1.0).eval()
    torch.set_num_threads(1)

    def answer() -> object:
        image = np.array(code.input_fn(body, "image/png"))
        with torch.inference_mode():
            return json.dumps(network(torch.from_numpy(image[np.newaxis]))[0].tolist())

    return answer


def _measure(call: Callable[[], object]) -> Latency:
    for _ in range(WARM_UP):
        call()
    taken = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1000)
    p50, p99 = np.percentile(taken, [50, 99])
    return Latency(float(p50), float(p99))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by its name
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
