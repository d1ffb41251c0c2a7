# An application in us-east-1 and us-west-2. Its runner and its log stand in eu-central-1, which is in no plan of theirs.

terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.58, < 7.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

variable "archive" {
  description = "Path of the archive that `cloudfail package aws` wrote."
  type        = string
}

variable "archive_sha256" {
  description = "SHA-256 of the archive, in hexadecimal digits."
  type        = string
}

variable "topic" {
  description = "ARN of the topic in eu-central-1 that pages somebody."
  type        = string
}

module "runner" {
  source = "../.."

  region          = "eu-central-1"
  watched_regions = ["us-east-1", "us-west-2"]
  store           = { regions = ["eu-central-1"] }
  archive         = var.archive
  archive_sha256  = var.archive_sha256
  notify          = { eu-central-1 = [var.topic] }
}

output "state" {
  description = "What to write as `state:` into cloudfail.yaml."
  value       = module.runner.state
}
