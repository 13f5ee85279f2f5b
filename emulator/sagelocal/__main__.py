"""Run the command line as `python -m sagelocal`."""

import sys

from sagelocal.cli import main

if __name__ == "__main__":
    sys.exit(main())
