output "state_bucket" {
  description = "Name of the S3 bucket that contains the Terraform states."
  value       = module.state.name
}

output "state_kms_key_arn" {
  description = "ARN of the KMS key that encrypts the Terraform states."
  value       = module.kms_key.arn
}

output "region" {
  description = "AWS region of the state bucket."
  value       = var.region
}

output "permissions_boundaries" {
  description = "ARN of each environment's permissions boundary, for permissions_boundary in its .tfvars file."
  value       = { for name, policy in aws_iam_policy.boundary : name => policy.arn }
}

output "deploy_role_arns" {
  description = "ARN of each environment's deployment role, for the variable DEPLOY_ROLE_ARN of the GitHub environment."
  value       = { for name, role in aws_iam_role.deploy : name => role.arn }
}

output "plan_role_arn" {
  description = "ARN of the role for plans and drift detection, for the variable PLAN_ROLE_ARN of the GitHub repository."
  value       = aws_iam_role.plan.arn
}
