"""Configure, launch, tune and follow training jobs. `container/` is the code that runs inside the containers."""
