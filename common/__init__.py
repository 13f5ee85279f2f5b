"""What every package needs: the stack, AWS clients, errors, files, paths and progress."""
