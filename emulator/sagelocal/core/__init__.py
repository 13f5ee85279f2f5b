"""The server, the patching of moto, routing, errors, container commands, quotas and processes."""
