"""Create AWS clients, which no other module does, and read AWS's errors."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from common.errors import OperatorError

# Returns a client of the named service
Clients = Callable[[str], Any]

FALLBACK_REGION = "us-east-1"
DEFAULT_PORTS = {"http": 80, "https": 443}


def client(service: str, region: str, *, config: Config | None = None) -> Any:
    """Return a boto3 client of `service` in `region`.

    Credentials and the endpoint come from the environment, as every AWS SDK reads them.
    """
    return boto3.client(service, region_name=region, config=config)


def session(region: str) -> boto3.Session:
    """Return a boto3 session for `region`, from which the SageMaker SDK makes its clients."""
    return boto3.Session(region_name=region)


def default_region() -> str:
    """Return the region of the AWS profile or environment, or us-east-1 if neither names one."""
    return boto3.Session().region_name or FALLBACK_REGION


def error_code(error: ClientError) -> str:
    """Return AWS's code for an error, such as `ValidationException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """Return AWS's message for an error."""
    return str(error.response.get("Error", {}).get("Message", error))


def is_not_found(error: ClientError) -> bool:
    """Return whether SageMaker refused a request because the resource does not exist.

    SageMaker has no error code for it: DescribeEndpoint and similar operations return `ValidationException`, and only
    the message distinguishes a missing resource from an invalid name.
    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
    """
    return error_code(error) == "ValidationException" and "Could not find" in str(error)


def check_endpoint() -> None:
    """Check `AWS_ENDPOINT_URL`, because boto3 reports an invalid URL only in the first request.

    Raises
    ------
    OperatorError
        The variable is set and has no valid URL.
    """
    url = os.environ.get("AWS_ENDPOINT_URL")
    if url and not _address(url):
        raise OperatorError(f"AWS_ENDPOINT_URL must be a URL such as http://127.0.0.1:4566 (got {url!r})")


def unreachable_endpoint() -> str | None:
    """Return the URL in `AWS_ENDPOINT_URL` if nothing listens there."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    address = _address(url)
    if address is None:
        return None
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return url
    return None


def _address(url: str) -> tuple[str, int] | None:
    """Return the host name and the port of an HTTP or HTTPS URL, or None if the URL is invalid."""
    try:
        parts = urlsplit(url)
        default = DEFAULT_PORTS[parts.scheme]
        port = parts.port or default
    except (KeyError, ValueError):  # another scheme, a port that is no number, an incomplete IPv6 address
        return None
    return (parts.hostname, port) if parts.hostname and " " not in url else None


def unreadable_files() -> list[Path]:
    """Return AWS's configuration files that exist and cannot be read, which boto3 ignores."""
    names = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}
    paths = [Path(os.environ.get(variable, default)).expanduser() for variable, default in names.items()]
    return [path for path in paths if path.exists() and not os.access(path, os.R_OK)]
