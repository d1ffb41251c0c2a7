# An application in eastus2 and westus2. Its runner, its log and its alarm stand in westeurope, which is in no plan of
# theirs.

terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.81, < 6.0"
    }
  }
}

provider "azurerm" {
  # The log's account has no keys.
  storage_use_azuread = true

  features {}
}

variable "archive" {
  description = "Path of the archive that `cloudfail package azure` wrote."
  type        = string
}

variable "archive_sha256" {
  description = "SHA-256 of the archive, in hexadecimal digits."
  type        = string
}

variable "action_group_id" {
  description = "ID of the action group that pages somebody."
  type        = string
}

resource "azurerm_resource_group" "cloudfail" {
  name     = "shop-cloudfail"
  location = "westeurope"
}

module "runner" {
  source = "../.."

  name                = "shop-cloudfail"
  resource_group_name = azurerm_resource_group.cloudfail.name
  location            = "westeurope"
  watched_regions     = ["eastus2", "westus2"]
  host_account        = "shopcloudfailhost"
  store               = { account = "shopcloudfaillog", location = "westeurope" }
  archive             = var.archive
  archive_sha256      = var.archive_sha256
  notify              = { action_group_ids = [var.action_group_id], location = "westeurope" }
}

output "state" {
  description = "What to write as `state:` into cloudfail.yaml."
  value       = module.runner.state
}
