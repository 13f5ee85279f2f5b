"""Lambda: functions run in execution environments, which are processes."""

from sagelocal.services.awslambda.invoke import install

__all__ = ["install"]
