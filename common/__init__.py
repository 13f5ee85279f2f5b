"""Code that the other packages share: the stack, AWS clients, errors, files, paths and resource names."""
