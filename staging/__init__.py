"""Stage a data set: extract an archive of CIFAR-100, transform its images, load them to S3."""
