"""Running a command: its options, its environment, and its error messages."""

import argparse
import os
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from common import aws
from common.errors import OperatorError
from deployment.terraform import ENVIRONMENTS
from scripts.command.environment import Environment
from scripts.command.parser import Parser

Options = Callable[[argparse.ArgumentParser], object]  # adds a command's own options

LOOPBACK_HOSTS = {"127.0.0.1", "::1", "localhost"}


def run_command(main: Callable[[Environment], None], doc: str | None, options: Options = lambda parser: None) -> None:
    """Run a command on the environment that the option `--env` names.

    Parameters
    ----------
    main : runs the command
    doc : docstring of the command's module, which `--help` prints
    options : adds the command's own options to the parser
    """

    def add_options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--env", choices=ENVIRONMENTS, default="local", help="environment (default: local)")
        options(parser)

    run(lambda arguments: main(Environment(arguments.env, arguments)), doc, add_options)


def run(main: Callable[[argparse.Namespace], None], doc: str | None, options: Options = lambda parser: None) -> None:
    """Run a command, and print an expected error in one line, or with its traceback if `--debug` or DEBUG=1 is set.

    The parameters are those of `run_command`, but `main` receives the parsed options.
    """
    parser = Parser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error, as does DEBUG=1")
    arguments = parser.parse_args()
    try:
        aws.check_endpoint()
        main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the program that reads the output, such as `head`, has ended
        # Python writes buffered output when it exits: discard it, because it would raise the same error again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OperatorError, BotoCoreError, ClientError, OSError, KeyboardInterrupt) as error:
        if arguments.debug or os.environ.get("DEBUG") == "1":
            raise
        if isinstance(error, KeyboardInterrupt):
            sys.exit(f"interrupted: {str(error) or 'run the same command again to continue'}")
        sys.exit(f"error: {explain(error, getattr(arguments, 'env', 'local'))}")


def explain(error: BaseException, environment: str) -> str:
    """Return a one-line error message: the likely cause if it is outside this command, or the error's own message.

    Likely causes are an AWS endpoint (AWS_ENDPOINT_URL) that does not respond and an unreadable credentials file.
    """
    if url := aws.unreachable_endpoint():
        if urlsplit(url).hostname in LOOPBACK_HOSTS:
            return (
                f"nothing responds at {url} (AWS_ENDPOINT_URL): the emulator that ran there has ended, and its "
                f"resources are lost. Run `make up ENV={environment}`"
            )
        return f"nothing responds at {url} (AWS_ENDPOINT_URL): correct or unset this variable"
    if isinstance(error, NoCredentialsError) and (files := aws.unreadable_files()):
        return f"no AWS credentials, because {files[0]} cannot be read: run `chmod u+r {files[0]}`"
    return " ".join(str(error).split())
