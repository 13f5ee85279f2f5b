"""Deploy with Terraform: plans, state, the endpoint's lifetime, unmanaged resources, cost, and Terraform itself."""
