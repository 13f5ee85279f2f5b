"""Stands in for AWS's PyTorch training image: `python -m sagelocal.containers.pytorch_training train`.

Runs the script that two hyperparameters name, as AWS's training toolkit inside that image does:
`sagemaker_program`, in the archive `sagemaker_submit_directory` (s3), with all other hyperparameters as its arguments.
A tuning job has no other way to bring code along. Source: https://github.com/aws/sagemaker-training-toolkit.
"""

import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

OWN = "sagemaker_"  # hyperparameters that begin so are the toolkit's
PROGRAM, ARCHIVE = "sagemaker_program", "sagemaker_submit_directory"


class ScriptMissingError(Exception):
    """The job names no script, or an archive that cannot be had."""


def main() -> None:
    """Run the script; end as it ended."""
    told = read_hyperparameters(Path(os.environ["SM_INPUT_CONFIG_DIR"]) / "hyperparameters.json")
    given = {name: value for name, value in told.items() if not name.startswith(OWN)}
    code = Path.cwd()
    try:
        command = ["python3", bring(told, code), *arguments(given)]
    except ScriptMissingError as error:
        fail(f"ClientError: {error}")
    requirements = code / "requirements.txt"
    if requirements.is_file() and subprocess.run(["python3", "-m", "pip", "install", "-r", requirements]).returncode:
        fail(f"InstallRequirementsError: {requirements.name} cannot be installed")
    print("Invoking script with the following command:\n\n" + shlex.join(command) + "\n", flush=True)
    status = subprocess.run(command, env={**os.environ, "SM_HPS": json.dumps(given)}).returncode
    if status:
        fail(f'ExecuteUserScriptError: ExitCode {status} Command "{shlex.join(command)}"', status if status > 0 else 1)


def read_hyperparameters(path: Path) -> dict[str, Any]:
    """Each is JSON, or else a plain text."""
    texts: Mapping[str, str] = json.loads(path.read_text())
    return {name: _decoded(text) for name, text in texts.items()}


def bring(told: Mapping[str, Any], folder: Path) -> str:
    """Unpack the code into a folder; the script's name in it.

    Raises
    ------
    ScriptMissingError
        See there.
    """
    if PROGRAM not in told or ARCHIVE not in told:
        raise ScriptMissingError(f"the hyperparameters {PROGRAM} and {ARCHIVE} must name a script and its archive")
    address = urlsplit(told[ARCHIVE])
    client = boto3.client("s3")
    try:
        body = client.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            archive.extractall(folder, filter="data")
    except (client.exceptions.NoSuchKey, client.exceptions.NoSuchBucket, tarfile.TarError) as error:
        raise ScriptMissingError(f"{told[ARCHIVE]} cannot be unpacked: {error}") from error
    if not (folder / told[PROGRAM]).is_file():
        raise ScriptMissingError(f"{told[ARCHIVE]} holds no {told[PROGRAM]}")
    return str(told[PROGRAM])


def arguments(given: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as a command's."""
    return [part for name, value in sorted(given.items()) for part in (f"--{name}", str(value))]


def fail(reason: str, status: int = 1) -> None:
    """End; the script's own reason, where it left one, stands."""
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
