"""EventBridge: delivers events from clients (PutEvents), scheduled rules and AWS services to the targets of rules.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-what-is.html
"""

from sagelocal.core.emulator import Emulator
from sagelocal.services.events import patterns, rules, schedules
from sagelocal.services.events.rules import put

__all__ = ["install", "put"]


def install(emulator: Emulator) -> None:
    """Install event delivery, scheduled rules and TestEventPattern into moto."""
    rules.install(emulator)
    patterns.install()
    schedules.install(emulator)
