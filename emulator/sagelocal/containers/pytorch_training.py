"""Emulates AWS's PyTorch training image: `python -m sagelocal.containers.pytorch_training train`.

Like AWS's training toolkit, this module runs the script that two hyperparameters name: `sagemaker_program` is the
script's name in the archive `sagemaker_submit_directory` (an S3 URI). All hyperparameters without the prefix
`sagemaker_` become the script's arguments. A tuning job cannot pass code in any other way. Source:
https://github.com/aws/sagemaker-training-toolkit.
"""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from sagelocal.services.sagemaker.archives import ArchiveError, unpack

TOOLKIT_PREFIX = "sagemaker_"  # hyperparameters for the toolkit, not for the script
PROGRAM, ARCHIVE = "sagemaker_program", "sagemaker_submit_directory"


class ScriptMissingError(Exception):
    """The hyperparameters do not name a script and an archive, or the script cannot be downloaded and unpacked."""


def main() -> None:
    """Run the script and exit with its status."""
    hyperparameters = read_hyperparameters(Path(os.environ["SM_INPUT_CONFIG_DIR"]) / "hyperparameters.json")
    script_parameters = {name: value for name, value in hyperparameters.items() if not name.startswith(TOOLKIT_PREFIX)}
    code = Path.cwd()
    try:
        command = ["python3", download_script(hyperparameters, code), *to_arguments(script_parameters)]
    except ScriptMissingError as error:
        fail(f"ClientError: {error}")
    requirements = code / "requirements.txt"
    if requirements.is_file() and subprocess.run(["python3", "-m", "pip", "install", "-r", requirements]).returncode:
        fail(f"InstallRequirementsError: {requirements.name} cannot be installed")
    print("Invoking script with the following command:\n\n" + shlex.join(command) + "\n", flush=True)
    status = subprocess.run(command, env={**os.environ, "SM_HPS": json.dumps(script_parameters)}).returncode
    if status:
        fail(f'ExecuteUserScriptError: ExitCode {status} Command "{shlex.join(command)}"', status if status > 0 else 1)


def read_hyperparameters(path: Path) -> dict[str, Any]:
    """Read hyperparameters and decode their JSON values; a value that is not valid JSON stays a string."""
    texts: Mapping[str, str] = json.loads(path.read_text())
    return {name: _decoded(text) for name, text in texts.items()}


def download_script(hyperparameters: Mapping[str, Any], folder: Path) -> str:
    """Unpack the archive with the code into a folder and return the script's name.

    Raises
    ------
    ScriptMissingError
        If the hyperparameters do not name a script and an archive, the archive is missing or invalid, or the archive
        does not contain the script.
    """
    if PROGRAM not in hyperparameters or ARCHIVE not in hyperparameters:
        raise ScriptMissingError(f"the hyperparameters {PROGRAM} and {ARCHIVE} must name a script and its archive")
    program, uri = hyperparameters[PROGRAM], hyperparameters[ARCHIVE]
    address = urlsplit(uri)
    client = boto3.client("s3")
    try:
        body = client.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"].read()
        unpack(io.BytesIO(body), folder)
    except (client.exceptions.NoSuchKey, client.exceptions.NoSuchBucket) as error:
        raise ScriptMissingError(f"{uri} cannot be read: {error}") from error
    except ArchiveError as error:
        raise ScriptMissingError(f"{uri}: {error}") from error
    if not (folder / program).is_file():
        raise ScriptMissingError(f"{uri} does not contain {program}")
    return str(program)


def to_arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters as command-line arguments, sorted by name."""
    return [part for name, value in sorted(hyperparameters.items()) for part in (f"--{name}", str(value))]


def fail(reason: str, status: int = 1) -> None:
    """Write the reason to the failure file, unless the script has already written one, and exit."""
    path = Path(os.environ["SM_OUTPUT_FAILURE"])
    if not path.exists():
        path.write_text(reason)
    sys.exit(status)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    main()
