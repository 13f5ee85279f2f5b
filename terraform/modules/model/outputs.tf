output "name" {
  description = "Name of the model; null before the first approved one."
  value       = one(aws_sagemaker_model.this[*].name)
}

output "version" {
  description = "Version of the model package that it is, which a plan knows; null before the first approved one."
  value       = local.version
}
