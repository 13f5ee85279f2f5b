"""What all commands share: options, the environment, and error messages."""
