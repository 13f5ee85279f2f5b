"""The one place that makes AWS clients."""

from typing import Any

import boto3
from botocore.config import Config


def client(service: str, region: str, *, config: Config | None = None) -> Any:
    """Return a boto3 client of `service` in `region`.

    Credentials and the endpoint come from the environment, as every AWS SDK reads them.
    """
    return boto3.client(service, region_name=region, config=config)
