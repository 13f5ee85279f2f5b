"""A local AWS emulator: moto, extended with Lambda, Step Functions and SageMaker services that run your code."""

__version__ = "0.1.0"
