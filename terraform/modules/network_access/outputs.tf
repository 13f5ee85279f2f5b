output "function_policy" {
  description = "JSON policy that a function's role needs in the VPC."
  value       = data.aws_iam_policy_document.functions.json
}

output "container_policy" {
  description = "JSON policy that the role of a job or model needs in the VPC."
  value       = data.aws_iam_policy_document.containers.json
}
