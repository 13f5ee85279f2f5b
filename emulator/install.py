"""The order in which the emulated services change moto."""
import importlib, importlib.util, sys
from emulator.context import Emulator

NAMES = ("awslambda", "stepfunctions", "sagemaker", "applicationautoscaling", "budgets", "cloudwatch", "iam", "s3", "sqs")

def install(emulator: Emulator) -> None:
    """Put every emulated service into moto."""
    for name in NAMES:
        if importlib.util.find_spec(f"emulator.{name}"):
            module = importlib.import_module(f"emulator.{name}")
            if hasattr(module, "install"):
                module.install(emulator)
                continue
        print("TEMPORARY: no", name, file=sys.stderr)
