"""Run AWS on this machine in the foreground: python -m sagelocal [--port N] [--images FILE] [--quotas FILE]."""

import argparse
import contextlib
import os
import sys
import traceback
from pathlib import Path

from sagelocal.core.container_commands import Images, ImagesError
from sagelocal.core.patching import MotoChangedError
from sagelocal.core.quotas import Quotas, QuotasError
from sagelocal.core.server import PortInUseError, serve


def main(arguments: argparse.Namespace) -> int:
    """Run until interrupted; the process's exit status."""
    try:
        with contextlib.suppress(KeyboardInterrupt):  # the way to stop it
            serve(port=arguments.port, images=Images.load(arguments.images), quotas=Quotas.load(arguments.quotas))
    except (ImagesError, QuotasError, PortInUseError, MotoChangedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sagelocal",
        description="AWS on this machine, in one process on loopback, with Lambda, Step Functions and SageMaker that "
        "really run. Point any SDK at it with AWS_ENDPOINT_URL. All of it is in memory and gone at the end.",
    )
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FILE",
        help="JSON of container images and the commands that stand in for them: "
        '{"<regex>": {"train": ["{python}", "train.py"], "serve": [...]}}',
    )
    parser.add_argument(
        "--quotas",
        type=Path,
        metavar="FILE",
        help='JSON of the account\'s quotas: {"ml.m5.xlarge for endpoint usage": 1}; what it does not name has none',
    )
    return parser


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return number


if __name__ == "__main__":
    given = _parser().parse_args()
    status = 1
    try:
        status = main(given)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # a thread that waits for an answer must not keep the process
