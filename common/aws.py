"""Create all AWS clients and sessions, interpret AWS errors, and check AWS's environment variables and files."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from common.errors import OperatorError

# A function that returns the boto3 client for the name of a service, such as `s3`
Clients = Callable[[str], Any]

FALLBACK_REGION = "us-east-1"
DEFAULT_PORTS = {"http": 80, "https": 443}


def client(service: str, region: str, *, config: Config | None = None) -> Any:
    """Return a boto3 client for `service` in `region`.

    boto3 reads the credentials and the endpoint URL from environment variables and AWS configuration files.
    """
    return boto3.client(service, region_name=region, config=config)


def session(region: str) -> boto3.Session:
    """Return a boto3 session for `region`, from which the SageMaker SDK makes its clients."""
    return boto3.Session(region_name=region)


def default_region() -> str:
    """Return the region in AWS_REGION, AWS_DEFAULT_REGION or the AWS profile, or us-east-1 if none names a region.

    boto3 ignores AWS_REGION, but the AWS CLI and Terraform's provider prefer it to the other two.
    """
    return os.environ.get("AWS_REGION") or boto3.Session().region_name or FALLBACK_REGION


def error_code(error: ClientError) -> str:
    """Return AWS's error code, such as `ValidationException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """Return AWS's error message, or the exception's text if the response has no message."""
    return str(error.response.get("Error", {}).get("Message", error))


def is_not_found(error: ClientError) -> bool:
    """Return whether SageMaker refused a request because the resource does not exist.

    SageMaker has no error code for a missing resource: DescribeEndpoint and similar operations return
    `ValidationException`, and only the message distinguishes a missing resource from an invalid name.
    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
    """
    return error_code(error) == "ValidationException" and "Could not find" in str(error)


def check_endpoint() -> None:
    """Check that `AWS_ENDPOINT_URL` is a valid URL, because boto3 reports an invalid one only at the first request.

    Raises
    ------
    OperatorError
        `AWS_ENDPOINT_URL` is set, but is not a valid URL.
    """
    url = os.environ.get("AWS_ENDPOINT_URL")
    if url and not _address(url):
        raise OperatorError(f"AWS_ENDPOINT_URL must be a URL such as http://127.0.0.1:4566 (got {url!r})")


def unreachable_endpoint() -> str | None:
    """Return the URL in `AWS_ENDPOINT_URL` if it does not accept connections.

    Return None if it accepts them, or if the variable is not set or not a valid URL.
    """
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
    """Return the host name and the port of an HTTP or HTTPS URL, or None if the URL is invalid or boto3 refuses it."""
    try:
        if not (is_valid_endpoint_url(url) or is_valid_ipv6_endpoint_url(url)):
            return None
        parts = urlsplit(url)
        default = DEFAULT_PORTS[parts.scheme]
        return str(parts.hostname), parts.port or default
    except (KeyError, ValueError):  # unknown scheme, invalid port, incomplete IPv6 address
        return None


def unreadable_files() -> list[Path]:
    """Return the AWS configuration files that exist but cannot be read; boto3 ignores such files without an error."""
    names = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}
    paths = [Path(os.environ.get(variable, default)).expanduser() for variable, default in names.items()]
    return [path for path in paths if path.exists() and not os.access(path, os.R_OK)]
