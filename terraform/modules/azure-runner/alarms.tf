# Says that the runner has not run. What the function says of itself is kept where the alarm stands, outside of every
# region that may be evacuated: no rows are then what a function that stopped, and a region that is gone, look like.

resource "azurerm_log_analytics_workspace" "runner" {
  name                = "${var.name}-log"
  resource_group_name = var.resource_group_name
  location            = var.notify.location
  retention_in_days   = var.log_days
  tags                = var.tags
}

resource "azurerm_application_insights" "runner" {
  name                = "${var.name}-insights"
  resource_group_name = var.resource_group_name
  location            = var.notify.location
  workspace_id        = azurerm_log_analytics_workspace.runner.id
  application_type    = "other"
  tags                = var.tags
}

# A tick that failed is no tick: only requests that came through are counted.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "not_run" {
  name                    = "${var.name}-not-run"
  resource_group_name     = var.resource_group_name
  location                = var.notify.location
  description             = "cloudfail has had no tick that came through for ${var.silent_minutes} minutes. Nobody watches. See the function's log, and run cloudfail check from a terminal."
  scopes                  = [azurerm_application_insights.runner.id]
  severity                = 0
  evaluation_frequency    = "PT1M"
  window_duration         = "PT${var.silent_minutes}M"
  auto_mitigation_enabled = true
  tags                    = var.tags

  criteria {
    query                   = "requests | where success == true and cloud_RoleName =~ '${var.name}'"
    time_aggregation_method = "Count"
    operator                = "LessThan"
    threshold               = 1
  }

  action {
    action_groups = var.notify.action_group_ids
  }
}
