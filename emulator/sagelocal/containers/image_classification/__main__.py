"""Entry point of the container: `python -m sagelocal.containers.image_classification train|serve`."""

import sys

if sys.argv[1:] == ["train"]:
    from sagelocal.containers.image_classification.train import run

    sys.exit(run())
elif sys.argv[1:] == ["serve"]:
    from sagelocal.containers.image_classification import serve

    serve.run()
else:
    sys.exit("usage: python -m sagelocal.containers.image_classification train|serve")
