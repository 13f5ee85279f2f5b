"""A local AWS emulator: moto's server with Lambda, Step Functions and SageMaker that run your code."""

__version__ = "0.1.0"
