output "bucket_name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.id
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "table_name" {
  description = "Name of the table of vehicles."
  value       = aws_dynamodb_table.this.name
}

output "table_arn" {
  description = "ARN of the table of vehicles."
  value       = aws_dynamodb_table.this.arn
}
