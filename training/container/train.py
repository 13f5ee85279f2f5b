"""Entry point of the training container, which runs this file as a script."""

import os

# Idle OpenMP threads spin by default, which slows down other processes on a small machine. PyTorch reads this variable
# when it is imported, so the variable is set before the imports below.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from classifier.job import main

if __name__ == "__main__":
    main()
