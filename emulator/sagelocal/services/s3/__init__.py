"""S3: events, access logs, listings, and fixes of bucket policies and the deletion of delete markers."""

from sagelocal.core.emulator import Emulator
from sagelocal.services.s3 import access_logs, events, fixes, listings


def install(emulator: Emulator) -> None:
    """Install the events, the access logs, the listings and the fixes into moto."""
    fixes.install()
    listings.install()
    access_logs.install()
    events.install(emulator)
