"""Installation of the emulated services into moto.

moto's backends take seconds of CPU time to import, so a service is installed only when the first request needs it.
"""

from importlib import import_module

from sagelocal.core.emulator import Emulator

# The modules of `sagelocal.services`, each with the moto backends whose first request installs the module
SERVICES = {
    "iam": (),
    "awslambda": ("awslambda",),
    "stepfunctions": ("stepfunctions",),
    "sagemaker": ("sagemaker", "sagemakermetrics", "sagemakerruntime"),
    "applicationautoscaling": ("applicationautoscaling",),
    "budgets": ("budgets",),
    "cloudwatch": ("cloudwatch",),
    "dynamodb": ("dynamodb",),
    "ec2": ("ec2",),
    "events": ("events",),
    "logs": ("logs",),
    "s3": ("s3",),
    "scheduler": ("scheduler",),
    "sqs": ("sqs",),
}
AT_START = "iam"  # moto uses the IAM backend in the requests to every service
# backends that create resources of any service without a request to that service
USERS_OF_ALL = ("cloudformation", "servicecatalog")


class Services:
    """The emulated services of one emulator. moto calls `prepare` in one thread at a time."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._installed: set[str] = set()

    def prepare(self, backend: str) -> None:
        """Install the services that must be installed before the first request to a moto backend.

        Raises
        ------
        sagelocal.core.patching.MotoChangedError
            A patch does not fit the installed release of moto.
        """
        for module, backends in SERVICES.items():
            if backend in backends or backend in USERS_OF_ALL:
                self.install(module)

    def install(self, module: str) -> None:
        """Install a module of `sagelocal.services`, unless the module is already installed."""
        if module not in self._installed:
            import_module(f"sagelocal.services.{module}").install(self._emulator)
            self._installed.add(module)


def install(emulator: Emulator) -> None:
    """Install every service, in the order of `SERVICES`."""
    services = Services(emulator)
    for module in SERVICES:
        services.install(module)
