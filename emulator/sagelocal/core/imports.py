"""Import a single moto module without the rest of its package."""

import importlib
import sys
from importlib.util import find_spec, module_from_spec


def import_alone(name: str) -> None:
    """Import a module without running the `__init__` of its package, which may import much more.

    A later import of the package runs its `__init__` as usual, and reuses the module that was imported here.
    """
    package = name.rpartition(".")[0]
    if name in sys.modules or package in sys.modules:
        return
    spec = find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    sys.modules[package] = module_from_spec(spec)
    try:
        importlib.import_module(name)
    finally:
        del sys.modules[package]
