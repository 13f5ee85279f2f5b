"""The operator's commands, one module each: they parse options, read the stack, and call the packages."""
