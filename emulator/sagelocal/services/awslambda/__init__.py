"""Lambda: runs functions in execution environments, which are child processes of the emulator."""

from sagelocal.services.awslambda.invoke import install

__all__ = ["install"]
