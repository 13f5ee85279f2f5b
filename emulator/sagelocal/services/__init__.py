"""The emulated services: one module or package per AWS service."""
