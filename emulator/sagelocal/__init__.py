"""AWS on this machine: moto's server with real Lambda, Step Functions and SageMaker behind it."""
