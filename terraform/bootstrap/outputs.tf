output "state_bucket" {
  description = "Bucket of the environments' Terraform state."
  value       = module.state.name
}

output "state_kms_key_arn" {
  description = "Key that encrypts the state."
  value       = module.keys.arn
}

output "region" {
  description = "AWS region of the state."
  value       = var.region
}

output "permissions_boundaries" {
  description = "Policy that bounds each environment's roles: the variable permissions_boundary in its file."
  value       = { for name, policy in aws_iam_policy.boundary : name => policy.arn }
}

output "deploy_role_arns" {
  description = "Role of each GitHub environment: its variable DEPLOY_ROLE_ARN."
  value       = { for name, role in aws_iam_role.deploy : name => role.arn }
}

output "plan_role_arn" {
  description = "Role of plans and of the watch for drift: the repository's variable PLAN_ROLE_ARN."
  value       = aws_iam_role.plan.arn
}
