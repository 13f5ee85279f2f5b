output "name" {
  description = "Model name; null before the first approved model."
  value       = one(aws_sagemaker_model.this[*].name)
}

output "version" {
  description = "Version of the model package, known during planning; null before the first approved model."
  value       = local.version
}
