"""The emulated services, one module or package per AWS service. Each has `install(emulator)`, which patches moto."""
