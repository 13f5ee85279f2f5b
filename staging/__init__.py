"""Stage a data set: extract an archive in CIFAR-100's format, transform its images, and load them to S3."""
