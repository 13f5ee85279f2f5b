output "arns" {
  description = "Function ARNs, by purpose: serialize, classify, filter, classify_batch and summarize."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
}

output "names" {
  description = "Function names, by purpose."
  value       = { for name, function in aws_lambda_function.this : name => function.function_name }
}

output "code_sha256" {
  description = "Base64-encoded SHA-256 of the code that Terraform deployed, by function name."
  value       = { for function in aws_lambda_function.this : function.function_name => function.source_code_hash }
}

output "log_groups" {
  description = "Log group names, by purpose of the function."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.name }
}
