"""What a role must be allowed to look for what stands there, as IAM words it."""

from __future__ import annotations

ACTIONS = (
    "autoscaling:DescribeAutoScalingGroups",
    "cloudfront:ListDistributions",
    "cloudfront:ListTagsForResource",
    "ec2:DescribeAddresses",
    "ecs:DescribeServices",
    "ecs:ListClusters",
    "ecs:ListServices",
    "eks:DescribeNodegroup",
    "eks:ListClusters",
    "eks:ListNodegroups",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroups",
    "events:ListEventBuses",
    "events:ListRules",
    "events:ListTagsForResource",
    "globalaccelerator:ListAccelerators",
    "globalaccelerator:ListEndpointGroups",
    "globalaccelerator:ListListeners",
    "globalaccelerator:ListTagsForResource",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
    "lambda:ListProvisionedConcurrencyConfigs",
    "lambda:ListTags",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeGlobalClusters",
    "route53-recovery-control-config:DescribeCluster",
    "route53-recovery-control-config:DescribeControlPanel",
    "route53:ListHealthChecks",
    "route53:ListHostedZones",
    "route53:ListResourceRecordSets",
    "route53:ListTagsForResource",
    "s3:GetBucketLocation",
    "s3:ListMultiRegionAccessPoints",
    "scheduler:ListSchedules",
    "scheduler:ListTagsForResource",
)
"""Each is a read. Who we are (sts:GetCallerIdentity) needs no permission."""

WHY = "What is there is looked for, so that it cannot be named before."
