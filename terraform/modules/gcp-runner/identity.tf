# The function's own service account watches: it reads, and it keeps the log. What changes anything else is behind
# others, which it may act as.

locals {
  log_roles = ["roles/storage.objectCreator", "roles/storage.objectViewer", "roles/storage.legacyBucketReader"]
}

resource "google_service_account" "watch" {
  project      = var.project
  account_id   = "${var.name}-watch"
  display_name = "cloudfail's function"
  description  = "Reads, keeps the log, and may act as the service accounts that execute."
}

resource "google_storage_bucket_iam_member" "log" {
  for_each = toset(local.log_roles)

  bucket = var.store.create ? google_storage_bucket.log[0].name : var.store.bucket
  role   = each.value
  member = "serviceAccount:${google_service_account.watch.email}"
}

resource "google_project_iam_member" "watch" {
  for_each = var.watch_roles

  project = each.value.project
  role    = each.value.role
  member  = "serviceAccount:${google_service_account.watch.email}"
}

resource "google_service_account_iam_member" "execute" {
  for_each = var.execute_service_accounts

  service_account_id = each.value
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = "serviceAccount:${google_service_account.watch.email}"
}

resource "google_service_account" "schedule" {
  project      = var.project
  account_id   = "${var.name}-schedule"
  display_name = "The schedule that calls cloudfail's function"
}

resource "google_cloud_run_v2_service_iam_member" "schedule" {
  project  = var.project
  location = var.region
  name     = google_cloudfunctions2_function.runner.name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.schedule.email}"
}
