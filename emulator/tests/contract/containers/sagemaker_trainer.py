"""A training container for tests: logs metrics, counts its runs in a checkpoint, and writes a model and an output.

The model contains the hyperparameters. The output contains the configuration and file names of the channels, the
number of earlier runs and the environment variable MINE.
"""

import json
import os
import sys
from pathlib import Path

config = Path(os.environ["SM_INPUT_CONFIG_DIR"])
hyperparameters = json.loads((config / "hyperparameters.json").read_text())
channels = json.loads((config / "inputdataconfig.json").read_text())
resources = json.loads((config / "resourceconfig.json").read_text())
assert resources["current_host"] in resources["hosts"]
found = {
    name: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    for name in channels
    for folder in [Path(os.environ[f"SM_CHANNEL_{name.upper()}"])]
}
for epoch in range(3):
    print(f"epoch={epoch} loss={1 / (epoch + 1):.2f}; accuracy={epoch / 4};")
print("a warning", file=sys.stderr)
checkpoint = Path(os.environ["SM_CHECKPOINT_DIR"], "step.txt")
step = int(checkpoint.read_text()) if checkpoint.exists() else 0
checkpoint.write_text(str(step + 1))
Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps({"hyperparameters": hyperparameters}))
Path(os.environ["SM_OUTPUT_DATA_DIR"], "seen.json").write_text(
    json.dumps({"channels": channels, "files": found, "step": step, "mine": os.environ.get("MINE")})
)
