output "name" {
  description = "Name of the endpoint, once it is there; null before the first approved model."
  value       = one(aws_sagemaker_endpoint.this[*].name)
}

output "config_name" {
  description = "Configuration that the endpoint must serve; null before the first approved model."
  value       = one(aws_sagemaker_endpoint_configuration.this[*].name)
}

output "arn" {
  description = "ARN of the endpoint; null before the first approved model."
  value       = one(aws_sagemaker_endpoint.this[*].arn)
}

output "variant_name" {
  description = "Production variant behind the endpoint; null before the first approved model."
  value       = local.count == 1 ? local.variant : null
}
