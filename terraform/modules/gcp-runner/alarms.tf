# Says that the runner has not run. A tick that could not look is answered 503, so only answers of 2xx count as ticks.
# Both ways of being silent: fewer than one answer, and no data at all.

locals {
  ticks = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.project_id = \"${var.project}\"",
    "resource.labels.location = \"${var.region}\"",
    "resource.labels.service_name = \"${var.name}\"",
    "metric.type = \"run.googleapis.com/request_count\"",
    "metric.labels.response_code_class = \"2xx\"",
  ])
  silent = "${var.silent_minutes * 60}s"
}

resource "google_monitoring_alert_policy" "not_run" {
  project               = coalesce(var.notify.project, var.project)
  display_name          = "${var.name} in ${var.region} has not run"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.notify.channels
  user_labels           = var.labels

  conditions {
    display_name = "No data"

    condition_absent {
      filter   = local.ticks
      duration = local.silent

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  conditions {
    display_name = "No tick that came through"

    condition_threshold {
      filter                  = local.ticks
      duration                = local.silent
      comparison              = "COMPARISON_LT"
      threshold_value         = 1
      evaluation_missing_data = "EVALUATION_MISSING_DATA_ACTIVE"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "cloudfail has had no tick that came through for ${var.silent_minutes} minutes. Nobody watches. See the function's log, and run `cloudfail check` from a terminal."
  }
}
