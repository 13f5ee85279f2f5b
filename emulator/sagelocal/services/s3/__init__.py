"""S3: events, and fixes of bucket policies, encoded listings and the deletion of delete markers."""

from sagelocal.core.emulator import Emulator
from sagelocal.services.s3 import events, fixes


def install(emulator: Emulator) -> None:
    """Install the events and the fixes into moto."""
    fixes.install()
    events.install(emulator)
