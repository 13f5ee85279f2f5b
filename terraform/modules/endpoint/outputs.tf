output "config_name" {
  description = "Configuration that the endpoint must serve; null before the first approved model."
  value       = one(aws_sagemaker_endpoint_configuration.this[*].name)
}
