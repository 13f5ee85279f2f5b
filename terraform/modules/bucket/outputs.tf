output "name" {
  description = "Bucket name, available once the bucket policy is attached and versioning is enabled."
  value       = aws_s3_bucket.this.id

  # the calling module's lifecycle rules for noncurrent versions need versioning:
  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html
  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_versioning.this]
}

output "arn" {
  description = "Bucket ARN."
  value       = aws_s3_bucket.this.arn
}
