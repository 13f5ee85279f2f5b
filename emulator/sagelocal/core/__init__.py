"""The server, patches to moto, request routing, error responses, container commands, quotas and processes."""
