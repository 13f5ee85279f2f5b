"""What the container runs: python -m emulator.algorithms.image_classification train|serve."""

import sys

if sys.argv[1:] == ["train"]:
    from emulator.algorithms.image_classification.train import run

    sys.exit(run())
elif sys.argv[1:] == ["serve"]:
    from emulator.algorithms.image_classification import serve

    serve.run()
else:
    sys.exit("usage: python -m emulator.algorithms.image_classification train|serve")
