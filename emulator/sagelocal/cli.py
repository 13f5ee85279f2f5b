"""The command line: `sagelocal serve|start|status|exec|stop`.

Only `serve` imports the server, so that the other commands start quickly.
"""

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from sagelocal import __version__
from sagelocal.core import background, garbage_collection
from sagelocal.core.errors import SagelocalError

DIRECTORY = Path(".sagelocal")
DESCRIPTION = (
    "A local AWS emulator that runs Lambda functions, state machines, training jobs and endpoints, without Docker. "
    "It serves all APIs on one port of 127.0.0.1; set AWS_ENDPOINT_URL to that address. All state is in memory."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except SagelocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full or read-only disk, or missing permissions
        print(
            f"error: {error.strerror}: {error.filename or options.directory}: free disk space, or choose another "
            "directory with --directory",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("interrupted: run the same command again", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    match options.action:
        case "serve":
            _serve(options)
        case "start":
            state = background.start(
                options.directory, arguments=_serve_arguments(options), invalidate=options.invalidate
            )
            _print_state(state, options.directory)
        case "status":
            _print_state(background.running(options.directory), options.directory)
        case "exec":
            background.execute(options.directory, options.command)
        case "stop":
            print("emulator stopped" if background.stop(options.directory) else "no emulator was running")
    return 0


def _serve(options: argparse.Namespace) -> None:
    """Run the server until it is interrupted, and exit even if some threads still wait for a response."""
    status = 1
    try:
        with garbage_collection.paused():
            from sagelocal.core.container_commands import Images
            from sagelocal.core.quotas import Quotas
            from sagelocal.core.server import serve

        with contextlib.suppress(KeyboardInterrupt):
            serve(port=options.port, images=Images.load(options.images), quotas=Quotas.load(options.quotas))
        status = 0
    except SagelocalError as error:
        print(f"error: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _serve_arguments(options: argparse.Namespace) -> list[str]:
    files = {"--images": options.images, "--quotas": options.quotas}
    return [
        *("--port", str(options.port)),
        *(part for name, path in files.items() if path for part in (name, str(path))),
    ]


def _print_state(state: background.State, directory: Path) -> None:
    print(f"emulator at {state.url} (process {state.pid}, log {background.log_file(directory)})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sagelocal", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"sagelocal {__version__}")
    actions = parser.add_subparsers(dest="action", required=True, metavar="COMMAND")
    summaries = {
        "serve": "run an emulator in the foreground",
        "start": "start an emulator in the background and wait until it responds, unless one is running",
        "status": "print the address of the background emulator; fail if none is running",
        "exec": "run a command whose AWS SDKs call the background emulator",
        "stop": "stop the background emulator and its child processes",
    }
    by_name = {name: actions.add_parser(name, help=text, description=text) for name, text in summaries.items()}
    for name in ("serve", "start"):
        _add_server_options(by_name[name])
    for name in ("start", "status", "exec", "stop"):
        by_name[name].add_argument(
            "--directory",
            type=Path,
            default=DIRECTORY,
            help=f"directory of the state file and the log (default: {DIRECTORY})",
        )
    by_name["start"].add_argument(
        "--invalidate",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="files and directories that describe an earlier emulator's resources; deleted before a new one starts",
    )
    by_name["exec"].add_argument(
        "command", nargs="+", metavar="COMMAND", help="after `--`: the command and its arguments"
    )
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: a free port)")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FILE",
        help='JSON file with commands that run in place of container images: {"<regex>": {"train": ["{python}", '
        '"train.py"], "serve": [...]}}',
    )
    parser.add_argument(
        "--quotas",
        type=Path,
        metavar="FILE",
        help='JSON file with service quotas: {"ml.m5.xlarge for endpoint usage": 1}; all other quotas are unlimited',
    )


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535 (got {text!r})")
    return number
