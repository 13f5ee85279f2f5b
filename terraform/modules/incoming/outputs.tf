output "rule_name" {
  description = "Name of the EventBridge rule that starts an execution for each photograph, available once the rule has its target."
  value       = aws_cloudwatch_event_rule.this.name

  depends_on = [aws_cloudwatch_event_target.this, aws_s3_bucket_notification.this]
}
