output "arn" {
  description = "State machine ARN."
  value       = aws_sfn_state_machine.this.arn
}
