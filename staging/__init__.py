"""Stage a data set: read an archive in CIFAR-100's format or a folder, transform the images, and load them to S3."""
