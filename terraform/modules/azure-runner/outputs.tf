output "state" {
  description = "What to write as `state:` into cloudfail.yaml."
  value       = local.state
}

output "function_id" {
  description = "ID of the function app."
  value       = azurerm_function_app_flex_consumption.runner.id
}

output "watch_principal_id" {
  description = "Principal of the function's own identity."
  value       = azurerm_user_assigned_identity.watch.principal_id
}

output "alarm_id" {
  description = "ID of the alarm that says that the runner has not run."
  value       = azurerm_monitor_scheduled_query_rules_alert_v2.not_run.id
}
