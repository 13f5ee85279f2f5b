output "rule_name" {
  description = "Name of the EventBridge rule, available once photographs start executions."
  value       = aws_cloudwatch_event_rule.this.name

  depends_on = [aws_cloudwatch_event_target.this, aws_s3_bucket_notification.this]
}
