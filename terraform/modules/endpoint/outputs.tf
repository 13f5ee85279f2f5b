output "name" {
  description = "Endpoint name, available once the endpoint exists; null before the first approved model."
  value       = one(aws_sagemaker_endpoint.this[*].name)
}

output "config_name" {
  description = "Name of the endpoint configuration that the endpoint must serve; null before the first approved model."
  value       = one(aws_sagemaker_endpoint_configuration.this[*].name)
}

output "arn" {
  description = "Endpoint ARN; null before the first approved model."
  value       = one(aws_sagemaker_endpoint.this[*].arn)
}

output "variant_name" {
  description = "Name of the production variant; null before the first approved model."
  value       = local.count == 1 ? local.variant : null
}
