# An application in us-east1 and us-west1. Its runner stands in europe-west3, and its log in two regions of Europe.

terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.43, < 9.0"
    }
  }
}

provider "google" {
  project = "shop-cloudfail"
}

variable "archive" {
  description = "Path of the archive that `cloudfail package gcp` wrote."
  type        = string
}

variable "archive_sha256" {
  description = "SHA-256 of the archive, in hexadecimal digits."
  type        = string
}

variable "channel" {
  description = "Name of the notification channel that pages somebody."
  type        = string
}

module "runner" {
  source = "../.."

  project         = "shop-cloudfail"
  region          = "europe-west3"
  watched_regions = ["us-east1", "us-west1"]
  store           = { bucket = "shop-cloudfail-log", location = "eur4" }
  archive         = var.archive
  archive_sha256  = var.archive_sha256
  notify          = { channels = [var.channel] }
}

output "state" {
  description = "What to write as `state:` into cloudfail.yaml."
  value       = module.runner.state
}
