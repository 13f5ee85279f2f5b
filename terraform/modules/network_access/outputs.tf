output "function_policy" {
  description = "What a function's role must be allowed, as a policy."
  value       = data.aws_iam_policy_document.functions.json
}

output "container_policy" {
  description = "What the role of a job or a model must be allowed, as a policy."
  value       = data.aws_iam_policy_document.containers.json
}
