"""Lambda: functions really run, each execution environment in a process of its own."""

from sagelocal.services.awslambda.service import install

__all__ = ["install"]
