"""The image map of the tests: the commands that the emulator runs in place of each container image."""

from pathlib import Path

CONTAINERS = Path(__file__).parent / "containers"


def _module(name: str, *modes: str) -> dict[str, list[str]]:
    return {mode: ["{python}", "-m", f"sagelocal.containers.{name}", mode] for mode in modes}


# The keys are regular expressions that match image URIs. The image `tests/<name>:1` runs containers/<name>.py.
# AWS's own images run the substitutes that sagelocal provides.
IMAGES = {
    rf"tests/{path.stem}:1": {mode: ["{python}", str(path), mode] for mode in ("train", "serve", "process")}
    for path in CONTAINERS.glob("*.py")
} | {
    ".*/pytorch-training:.*": _module("pytorch_training", "train"),
    ".*/pytorch-inference:.*": _module("pytorch_inference", "serve"),
    ".*/image-classification:.*": _module("image_classification", "train", "serve"),
}
