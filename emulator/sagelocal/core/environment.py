"""Environment variables that decide whom an AWS SDK talks to. Standard library only: it must import fast."""

from collections.abc import Mapping

KEPT = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PAGER", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"}
STATUS_PATH = "/_emulator"  # where the emulator says who it is; no bucket can have this name
LOOPBACK = ("127.0.0.1", "localhost")


def neutral(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the user's AWS accounts, endpoints and certificates, and with no proxy to loopback."""
    kept = {key: value for key, value in environment.items() if not key.startswith("AWS_") or key in KEPT}
    return {**kept, **_without_proxy(environment)}


def pointing_at(url: str) -> dict[str, str]:
    """The variables that point every AWS SDK at the emulator."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        # StartSyncExecution and others put a prefix before the host, which loopback does not have
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }


def _without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    hosts = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    value = ",".join([*listed, *(host for host in LOOPBACK if host not in listed)])
    return {"no_proxy": value, "NO_PROXY": value}
