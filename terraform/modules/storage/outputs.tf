output "bucket_name" {
  description = "Name of the bucket."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = module.bucket.arn
}

output "access_logs_bucket_name" {
  description = "Name of the bucket that is told of each request to the other."
  value       = module.access_logs.name
}

output "table_name" {
  description = "Name of the table of vehicles."
  value       = aws_dynamodb_table.this.name
}

output "table_arn" {
  description = "ARN of the table of vehicles."
  value       = aws_dynamodb_table.this.arn
}
