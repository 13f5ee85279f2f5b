"""Entry point of the drift job, which runs in the inference container."""

from classifier.drift_job import main

if __name__ == "__main__":
    main()
