output "state_machine_arn" {
  description = "ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "failures_topic_arn" {
  description = "Topic that is told of failed executions."
  value       = aws_sns_topic.this.arn
}
