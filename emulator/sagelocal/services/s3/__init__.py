"""S3: events, access logs, and fixes of bucket policies, encoded listings and the deletion of delete markers."""

from sagelocal.core.emulator import Emulator
from sagelocal.services.s3 import access_logs, events, fixes


def install(emulator: Emulator) -> None:
    """Install the events, the access logs and the fixes into moto."""
    fixes.install()
    access_logs.install()
    events.install(emulator)
