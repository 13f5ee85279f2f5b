"""Environment variables that point AWS SDKs at the emulator.

This module imports only the standard library, so that commands start quickly.
"""

from collections.abc import Mapping

# The user's settings that select neither an account nor an endpoint
KEPT = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PAGER", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"}
DEFAULT_REGION = "us-east-1"
STATUS_PATH = "/_emulator"  # returns the process id; cannot be a bucket, because bucket names contain no underscore
READY = "sagelocal is ready at "  # precedes the URL on the server's standard output
LOOPBACK = ("127.0.0.1", "localhost")


def without_aws_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without AWS credentials, endpoints and certificates, and with no proxy for loopback."""
    kept = {key: value for key, value in environment.items() if not key.startswith("AWS_") or key in KEPT}
    return {**kept, **_no_proxy_variables(environment)}


def sdk_variables(url: str) -> dict[str, str]:
    """Return the variables that point every AWS SDK at the emulator."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        # StartSyncExecution and other operations add a prefix to the host name, but `sync-127.0.0.1` cannot be resolved
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }


def child_environment(environment: Mapping[str, str], url: str) -> dict[str, str]:
    """Return the complete environment of a process whose AWS SDKs call the emulator.

    Parameters
    ----------
    environment
        Environment variables of the parent process. If they set no region, the region is us-east-1.
    url
        Endpoint URL of the emulator.
    """
    region, default = environment.get("AWS_REGION"), environment.get("AWS_DEFAULT_REGION")
    regions = {  # boto3 reads only AWS_DEFAULT_REGION, most other SDKs only AWS_REGION
        "AWS_REGION": region or default or DEFAULT_REGION,
        "AWS_DEFAULT_REGION": default or region or DEFAULT_REGION,
    }
    return {**without_aws_settings(environment), **sdk_variables(url), **regions}


def _no_proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    hosts = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    value = ",".join([*listed, *(host for host in LOOPBACK if host not in listed)])
    return {"no_proxy": value, "NO_PROXY": value}
