locals {
  state = "gs://${trimsuffix("${var.store.bucket}/${trim(var.store.prefix, "/")}", "/")}?location=${var.store.location}"
}

# The log. Entries are never deleted: there is no lifecycle rule, and cloudfail refuses a bucket with one that could.
resource "google_storage_bucket" "log" {
  count = var.store.create ? 1 : 0

  project                     = var.project
  name                        = var.store.bucket
  location                    = var.store.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = var.labels

  # One of the two: entries are written once, and what nobody may delete needs no older version.
  versioning {
    enabled = var.store.retention_days == null
  }

  dynamic "retention_policy" {
    for_each = var.store.retention_days == null ? [] : [var.store.retention_days]

    content {
      retention_period = retention_policy.value * 86400
    }
  }
}
