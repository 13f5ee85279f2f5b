output "arns" {
  description = "ARNs of the functions by name: serialize, classify, filter."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
}

output "names" {
  description = "Names of the functions, by what they do."
  value       = { for name, function in aws_lambda_function.this : name => function.function_name }
}

output "log_groups" {
  description = "Names of the functions' log groups, by what they do."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.name }
}
