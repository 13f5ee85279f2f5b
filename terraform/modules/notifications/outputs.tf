output "topic_arn" {
  description = "SNS topic ARN, available once the topic policy is attached."
  value       = aws_sns_topic.this.arn

  depends_on = [aws_sns_topic_policy.this]
}
