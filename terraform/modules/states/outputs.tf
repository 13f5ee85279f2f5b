output "definition" {
  description = "The state machine's definition, as JSON."
  value       = jsonencode(local.definition)
}
