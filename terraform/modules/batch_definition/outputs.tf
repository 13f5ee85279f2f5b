output "json" {
  description = "State machine definition in JSON."
  value       = jsonencode(local.definition)
}
