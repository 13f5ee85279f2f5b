"""Entry point of the training container, which runs this file as a script."""

import os

# Waiting OpenMP threads that spin starve other processes of a small machine. PyTorch reads this when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from classifier.job import main

if __name__ == "__main__":
    main()
