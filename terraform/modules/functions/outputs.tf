output "arns" {
  description = "ARNs of the functions by name: serialize, classify, filter."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
}
