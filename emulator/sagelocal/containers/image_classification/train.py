"""One training job, from its configuration to its model."""

import json
import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagelocal.containers.image_classification import channels, log
from sagelocal.containers.image_classification.errors import CustomerError, LackingError
from sagelocal.containers.image_classification.hyperparameters import Hyperparameters, check_supported, parse

# https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html#IC-instances
GPU = re.compile(r"ml\.(p2|p3|g4dn|g5)\.")
CUSTOMER, ALGORITHM = 2, 1  # exit statuses for whose error it is


def run() -> int:
    """Train as the job says; its exit status. The reason of a failure goes to SageMaker's failure file."""
    log.begin()
    try:
        train()
    except CustomerError as error:
        log.logger.error("Customer Error: %s", error)
        return _fail(f"ClientError: {error}", CUSTOMER)
    except LackingError as error:
        log.logger.error("%s", error)
        return _fail(str(error), ALGORITHM)
    except Exception as error:
        traceback.print_exc()
        return _fail(f"{type(error).__name__}: {error}", ALGORITHM)
    return 0


def train() -> None:
    """Read, check, train, keep.

    Raises
    ------
    CustomerError, LackingError
        As their names say.
    """
    config = _folder("SM_INPUT_CONFIG_DIR", "/opt/ml/input/config")
    given = _read(config / "hyperparameters.json")
    resources = _read(config / "resourceconfig.json")
    check_instance(resources["current_instance_type"])
    log.provided(given)
    hyperparameters = parse(given)
    packed = channels.check(_read(config / "inputdataconfig.json"))
    check_supported(hyperparameters)
    if len(resources["hosts"]) > 1:
        raise LackingError("training on more than one instance")
    log.parameters(hyperparameters)
    data = _folder("SM_INPUT_DATA_DIR", "/opt/ml/input/data")
    training, validation = (channels.read(data, name, hyperparameters, packed=packed) for name in channels.SPLITS)
    channels.check_count(training, hyperparameters)
    _fit(training, validation, hyperparameters, _folder("SM_MODEL_DIR", "/opt/ml/model"))


def check_instance(instance_type: str) -> None:
    """Refuse what has no GPU, in AWS's words.

    Raises
    ------
    CustomerError
        As its name says.
    """
    if not GPU.match(instance_type):
        raise CustomerError(
            f"Instance type {instance_type} is not supported by algorithm image-classification; only GPU instances "
            "are supported (ml.p2, ml.p3, ml.g4dn, ml.g5)."
        )


def _fit(training: channels.Split, validation: channels.Split, hyperparameters: Hyperparameters, folder: Path) -> None:
    import torch  # seconds that a job with a wrong hyperparameter does not wait

    from sagelocal.containers.image_classification import fit, model
    from sagelocal.containers.image_classification.checkpoint import Checkpoints

    torch.manual_seed(fit.SEED)
    network = model.create(hyperparameters)

    def keep(epoch: int) -> Path:
        path = model.save(network, hyperparameters, folder, epoch)
        log.logger.info('Saved checkpoint to "%s"', path)
        return path

    def save(epoch: int, best: float | None) -> None:
        if hyperparameters.checkpoint_frequency:
            if (epoch + 1) % hyperparameters.checkpoint_frequency == 0:
                keep(epoch)
        elif best is not None:
            log.logger.info("Storing the best model with validation accuracy: %f", best)
            path = keep(epoch)
            for former in model.kept(folder):
                if former != path:
                    former.unlink()

    checkpoints = Checkpoints(_folder("SM_CHECKPOINT_DIR", "/opt/ml/checkpoints"), folder, hyperparameters)
    fit.fit(network, training, validation, hyperparameters, save, checkpoints)


def _read(path: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(path.read_text())
    return content


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, default))


def _fail(reason: str, status: int) -> int:
    path = Path(os.environ.get("SM_OUTPUT_FAILURE", "/opt/ml/output/failure"))
    path.write_text(" ".join(reason.split()))  # one line
    return status
