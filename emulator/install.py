"""The order in which the emulated services change moto."""
import importlib
import importlib.util
import sys

from emulator.context import Emulator

NAMES = ("awslambda", "stepfunctions", "sagemaker", "applicationautoscaling", "budgets", "cloudwatch", "iam", "s3", "sqs")

def install(emulator: Emulator) -> None:
    """Put every emulated service into moto."""
    for name in NAMES:
        try:
            module = importlib.import_module(f"emulator.{name}")
        except ImportError as e:
            print("TEMPORARY:", name, e, file=sys.stderr); continue
        module.install(emulator)
