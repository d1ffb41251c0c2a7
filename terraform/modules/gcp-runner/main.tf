locals {
  # The platform does not tell the function how much time is left, so it is told what it was deployed with.
  limit_seconds = 60
}

resource "google_storage_bucket" "archive" {
  project                     = var.project
  name                        = "${var.project}-${var.name}-archive"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels
}

# Called by its content: another archive is another object, and so another revision of the function.
resource "google_storage_bucket_object" "archive" {
  bucket = google_storage_bucket.archive.name
  name   = "${var.archive_sha256}.zip"
  source = var.archive

  lifecycle {
    precondition {
      condition     = filesha256(var.archive) == var.archive_sha256
      error_message = "${var.archive} is not the archive whose SHA-256 is ${var.archive_sha256}."
    }
  }
}

# One at a time: of two ticks one would only find the lease taken.
resource "google_cloudfunctions2_function" "runner" {
  project     = var.project
  location    = var.region
  name        = var.name
  description = "cloudfail: watches, decides, and carries on what is open."
  labels      = var.labels

  build_config {
    runtime         = "python${replace(var.python, ".", "")}"
    entry_point     = "tick_http"
    service_account = var.build_service_account

    source {
      storage_source {
        bucket = google_storage_bucket.archive.name
        object = google_storage_bucket_object.archive.name
      }
    }
  }

  service_config {
    available_memory                 = "${var.memory_mb}Mi"
    available_cpu                    = "1"
    timeout_seconds                  = local.limit_seconds
    max_instance_count               = 1
    max_instance_request_concurrency = 1
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision   = true
    service_account_email            = google_service_account.watch.email

    environment_variables = merge(var.environment, {
      CLOUDFAIL_LIMIT_SECONDS = tostring(local.limit_seconds)
    })
  }

  depends_on = [google_storage_bucket_iam_member.log]
}

# A tick that failed is not tried again: the next minute brings the next.
resource "google_cloud_scheduler_job" "tick" {
  project          = var.project
  region           = var.region
  name             = "${var.name}-tick"
  description      = "One tick of cloudfail."
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "${local.limit_seconds}s"

  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.runner.service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.schedule.email
      audience              = google_cloudfunctions2_function.runner.service_config[0].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.schedule]
}
