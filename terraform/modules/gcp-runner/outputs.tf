output "state" {
  description = "What to write as `state:` into cloudfail.yaml."
  value       = local.state
}

output "function_id" {
  description = "ID of the function."
  value       = google_cloudfunctions2_function.runner.id
}

output "watch_service_account" {
  description = "Email of the function's service account."
  value       = google_service_account.watch.email
}

output "alert_policy" {
  description = "Name of the alert that says that the runner has not run."
  value       = google_monitoring_alert_policy.not_run.name
}
