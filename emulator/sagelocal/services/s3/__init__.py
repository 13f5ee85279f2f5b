"""S3: event notifications, access logs, listings of objects and versions, and fixes of moto's defects."""

from sagelocal.core.emulator import Emulator
from sagelocal.services.s3 import access_logs, events, fixes, listings


def install(emulator: Emulator) -> None:
    """Install event notifications, access logs, listings and fixes into moto."""
    fixes.install()
    listings.install()
    access_logs.install()
    events.install(emulator)
