output "bucket_name" {
  description = "Name of the S3 bucket that contains images, models and captured data."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "ARN of the S3 bucket that contains images, models and captured data."
  value       = module.bucket.arn
}

output "access_logs_bucket_name" {
  description = "Name of the S3 bucket that contains the access logs."
  value       = module.access_logs.name
}

output "table_name" {
  description = "Name of the DynamoDB table of classified vehicles."
  value       = aws_dynamodb_table.this.name
}

output "table_arn" {
  description = "ARN of the DynamoDB table of classified vehicles."
  value       = aws_dynamodb_table.this.arn
}

output "drivers_table_name" {
  description = "Name of the DynamoDB table of drivers."
  value       = aws_dynamodb_table.drivers.name
}

output "drivers_table_arn" {
  description = "ARN of the DynamoDB table of drivers."
  value       = aws_dynamodb_table.drivers.arn
}
