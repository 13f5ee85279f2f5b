"""Code that every package uses: the stack, AWS clients, errors, files, paths and resource names."""
