output "topic_arn" {
  description = "SNS topic ARN, available once the topic policy is attached."
  value       = aws_sns_topic.this.arn

  depends_on = [aws_sns_topic_policy.this]
}

output "undelivered_queue_arn" {
  description = "ARN of the SQS queue for events that EventBridge cannot deliver."
  value       = aws_sqs_queue.undelivered.arn
}

output "undelivered_queue_name" {
  description = "Name of the SQS queue for events that EventBridge cannot deliver."
  value       = aws_sqs_queue.undelivered.name
}

output "undelivered_queue_url" {
  description = "URL of the SQS queue for events that EventBridge cannot deliver."
  value       = aws_sqs_queue.undelivered.url
}
