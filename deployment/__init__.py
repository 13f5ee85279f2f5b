"""The Terraform driver and what surrounds it: state, endpoint lifetime, unmanaged resources, cost, tools."""
