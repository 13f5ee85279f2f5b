output "state_machine_arn" {
  description = "State machine ARN."
  value       = module.state_machine.arn
}
