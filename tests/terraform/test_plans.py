"""What a plan of each module holds: who calls whom, what an identity may do, where the alarms stand.

A plan is made against the schema server, so what a provider computes is unknown in it. Where one resource is told of
another's computed attribute, the reference in the configuration is looked at.
"""

from __future__ import annotations

import importlib
import re

import pytest

from cloudfail.entrypoints import gcp_function, serving
from cloudfail_aws.store import DynamoDBKind
from cloudfail_azure.store import BlobKind
from cloudfail_gcp.store import CloudStorageKind
from tests.terraform.plans import ACCOUNT, ARCHIVE, AWS, AZURE, GCP, Plan, planned
from tests.terraform.roots import ROOT, Workplace

STATE = (ROOT / "docs/state.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.parametrize("workplace", ["ceiling"], indirect=True)


@pytest.fixture(scope="module")
def aws(workplace: Workplace) -> Plan:
    return planned(workplace, AWS, topic=f"arn:aws:sns:eu-central-1:{ACCOUNT}:page")


@pytest.fixture(scope="module")
def gcp(workplace: Workplace) -> Plan:
    return planned(workplace, GCP, channel="projects/shop-cloudfail/notificationChannels/1")


@pytest.fixture(scope="module")
def azure(workplace: Workplace) -> Plan:
    return planned(workplace, AZURE, action_group_id="/subscriptions/1/page")


# ---- Amazon


def test_aws_makes_these_and_nothing_else(aws: Plan) -> None:
    assert aws.counts() == {
        "aws_cloudwatch_log_group": 1,
        "aws_cloudwatch_metric_alarm": 2,
        "aws_dynamodb_table": 1,
        "aws_iam_role": 2,
        "aws_iam_role_policy": 2,
        "aws_lambda_function": 1,
        "aws_lambda_function_event_invoke_config": 1,
        "aws_scheduler_schedule": 1,
        "aws_scheduler_schedule_group": 1,
    }


def test_the_function_of_aws_is_this_projects_handler(aws: Plan) -> None:
    function = aws.resources["aws_lambda_function.runner"]
    module, _, name = function["handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
    assert (function["runtime"], function["timeout"], function["reserved_concurrent_executions"]) == (
        "python3.13",
        60,
        1,
    )
    assert (
        function["environment"] == []
    )  # Lambda says itself how much time is left, and the archive where its files are
    assert aws.references("aws_lambda_function.runner", "role")[0] == "aws_iam_role.watch.arn"


def test_the_schedule_of_aws_calls_the_function_and_may_call_nothing_else(aws: Plan) -> None:
    schedule = aws.resources["aws_scheduler_schedule.tick"]
    assert (schedule["schedule_expression"], schedule["flexible_time_window"][0]["mode"]) == ("rate(1 minute)", "OFF")
    assert schedule["target"][0]["retry_policy"][0]["maximum_retry_attempts"] == 0
    assert aws.references("aws_scheduler_schedule.tick", "target", "arn")[0] == "aws_lambda_function.runner.arn"
    assert aws.references("aws_scheduler_schedule.tick", "target", "role_arn")[0] == "aws_iam_role.schedule.arn"
    name = aws.resources["aws_lambda_function.runner"]["function_name"]
    assert aws.policy("aws_iam_role_policy.schedule") == [
        {
            "Sid": "Call",
            "Effect": "Allow",
            "Action": ["lambda:InvokeFunction"],
            "Resource": [f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{name}"],
        }
    ]
    [trust] = aws.policy("aws_iam_role.schedule", "assume_role_policy")
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT


def test_the_functions_role_of_aws_may_do_what_the_document_names_and_no_more(aws: Plan) -> None:
    said = STATE.split("**DynamoDB.**")[1].split("Permissions:")[1].split(". ")[0]
    actions = [f"dynamodb:{one.removeprefix('dynamodb:')}" for one in re.findall(r"`([\w:]+)`", said)]
    group = aws.resources["aws_cloudwatch_log_group.runner"]["name"]
    assert aws.policy("aws_iam_role_policy.watch") == [
        {
            "Sid": "Log",
            "Effect": "Allow",
            "Action": actions,
            "Resource": [f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/cloudfail"],
        },
        {
            "Sid": "Said",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:{group}:log-stream:*"],
        },
    ]
    [trust] = aws.policy("aws_iam_role.watch", "assume_role_policy")
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_silence_raises_both_alarms_of_aws_and_somebody_hears(aws: Plan) -> None:
    alarms = [aws.resources[f"aws_cloudwatch_metric_alarm.{name}"] for name in ("not_run", "log_not_read")]
    for alarm in alarms:
        assert alarm["treat_missing_data"] == "breaching"
        assert (alarm["comparison_operator"], alarm["threshold"]) == ("LessThanThreshold", 1)
        assert alarm["evaluation_periods"] == alarm["datapoints_to_alarm"] == 5
        assert alarm["alarm_actions"] == [f"arn:aws:sns:eu-central-1:{ACCOUNT}:page"]
        assert alarm["actions_enabled"] is not False
    watched = [one["metric"][0] for one in alarms[0]["metric_query"] if one["metric"]]
    name = aws.resources["aws_lambda_function.runner"]["function_name"]
    assert {one["metric_name"] for one in watched} == {"Invocations", "Errors"}
    assert all(one["dimensions"] == {"FunctionName": name} for one in watched)
    assert alarms[1]["dimensions"] == {"TableName": "cloudfail", "Operation": "Query"}


def test_the_table_of_aws_has_the_stores_key_and_is_what_the_state_says(aws: Plan) -> None:
    table = aws.resources["aws_dynamodb_table.log[0]"]
    assert (table["hash_key"], table["range_key"]) == ("log", "seq")
    assert {one["name"]: one["type"] for one in table["attribute"]} == {"log": "S", "seq": "N"}
    assert (table["billing_mode"], table["deletion_protection_enabled"], table["ttl"]) == ("PAY_PER_REQUEST", True, [])
    assert table["point_in_time_recovery"][0]["enabled"] is True
    assert DynamoDBKind().place(aws.outputs["state"]).regions == (table["region"],) == ("eu-central-1",)


# ---- Google


def test_gcp_makes_these_and_nothing_else(gcp: Plan) -> None:
    assert gcp.counts() == {
        "google_cloud_run_v2_service_iam_member": 1,
        "google_cloud_scheduler_job": 1,
        "google_cloudfunctions2_function": 1,
        "google_monitoring_alert_policy": 1,
        "google_service_account": 2,
        "google_storage_bucket": 2,
        "google_storage_bucket_iam_member": 3,
        "google_storage_bucket_object": 1,
    }


def test_the_function_of_gcp_is_this_projects_and_is_told_its_time(gcp: Plan) -> None:
    function = gcp.resources["google_cloudfunctions2_function.runner"]
    assert callable(getattr(gcp_function, function["build_config"][0]["entry_point"]))
    [service] = function["service_config"]
    assert service["environment_variables"][serving.LIMIT] == str(service["timeout_seconds"])
    assert function["build_config"][0]["runtime"] == "python313"
    assert (service["max_instance_count"], service["max_instance_request_concurrency"]) == (1, 1)
    assert service["ingress_settings"] == "ALLOW_INTERNAL_ONLY"


def test_the_schedule_of_gcp_calls_the_function_as_the_only_one_who_may(gcp: Plan) -> None:
    job = gcp.resources["google_cloud_scheduler_job.tick"]
    assert (job["schedule"], job["http_target"][0]["http_method"]) == ("* * * * *", "POST")
    assert job["retry_config"][0]["retry_count"] == 0
    target = ("google_cloud_scheduler_job.tick", "http_target")
    called = gcp.references(*target, "uri")[0]
    assert called == "google_cloudfunctions2_function.runner.service_config[0].uri"
    assert gcp.references(*target, "oidc_token", "audience")[0] == called
    caller = gcp.references(*target, "oidc_token", "service_account_email")[0]
    assert caller == "google_service_account.schedule.email"
    allowed = gcp.references("google_cloud_run_v2_service_iam_member.schedule", "member")[0]
    assert allowed == caller
    assert gcp.resources["google_cloud_run_v2_service_iam_member.schedule"]["role"] == "roles/run.invoker"


def test_the_functions_account_of_gcp_may_do_what_the_document_names_and_no_more(gcp: Plan) -> None:
    said = STATE.split("**Cloud Storage.**")[1].split("Roles:")[1].split(". ")[0]
    roles = {
        one["role"]
        for address, one in gcp.resources.items()
        if address.startswith("google_storage_bucket_iam_member.log[")
    }
    assert roles == set(re.findall(r"`(roles/[\w.]+)`", said))
    written = gcp.references("google_storage_bucket_iam_member.log", "member")
    assert written[0] == "google_service_account.watch.email"
    function = ("google_cloudfunctions2_function.runner", "service_config", "service_account_email")
    assert gcp.references(*function)[0] == "google_service_account.watch.email"


def test_silence_raises_the_alert_of_gcp_and_somebody_hears(gcp: Plan) -> None:
    alert = gcp.resources["google_monitoring_alert_policy.not_run"]
    absent, few = alert["conditions"]
    assert (absent["condition_absent"][0]["duration"], few["condition_threshold"][0]["duration"]) == ("300s", "300s")
    assert few["condition_threshold"][0]["evaluation_missing_data"] == "EVALUATION_MISSING_DATA_ACTIVE"
    assert (alert["combiner"], alert["enabled"] is not False) == ("OR", True)
    assert alert["notification_channels"] == ["projects/shop-cloudfail/notificationChannels/1"]
    name = gcp.resources["google_cloudfunctions2_function.runner"]["name"]
    assert f'service_name = "{name}"' in absent["condition_absent"][0]["filter"]


def test_the_bucket_of_gcp_deletes_nothing_and_is_what_the_state_says(gcp: Plan) -> None:
    bucket = gcp.resources["google_storage_bucket.log[0]"]
    assert (bucket["lifecycle_rule"], bucket["force_destroy"]) == ([], False)
    assert (bucket["uniform_bucket_level_access"], bucket["public_access_prevention"]) == (True, "enforced")
    assert gcp.outputs["state"] == f"gs://{bucket['name']}?location={bucket['location']}"
    assert CloudStorageKind().place(gcp.outputs["state"]).regions == ()


# ---- Azure


def test_azure_makes_these_and_nothing_else(azure: Plan) -> None:
    assert azure.counts() == {
        "azurerm_application_insights": 1,
        "azurerm_function_app_flex_consumption": 1,
        "azurerm_log_analytics_workspace": 1,
        "azurerm_management_lock": 1,
        "azurerm_monitor_scheduled_query_rules_alert_v2": 1,
        "azurerm_role_assignment": 1,
        "azurerm_service_plan": 1,
        "azurerm_storage_account": 2,
        "azurerm_storage_container": 2,
        "azurerm_user_assigned_identity": 1,
        "terraform_data": 1,
    }


def test_the_app_of_azure_is_told_its_time_and_whose_name_it_uses(azure: Plan) -> None:
    app = azure.resources["azurerm_function_app_flex_consumption.runner"]
    assert (app["runtime_name"], app["runtime_version"], app["https_only"]) == ("python", "3.13", True)
    assert app["zip_deploy_file"] == ARCHIVE["archive"]
    written = azure.references("azurerm_function_app_flex_consumption.runner", "app_settings")
    assert {"azurerm_user_assigned_identity.watch.client_id", "local.limit_seconds"} <= set(written)
    identity = azure.references("azurerm_function_app_flex_consumption.runner", "identity", "identity_ids")
    assert identity[0] == "azurerm_user_assigned_identity.watch.id"


def test_the_apps_identity_of_azure_may_do_what_the_document_names_and_no_more(azure: Plan) -> None:
    said = re.search(r"Role: ([\w ]+)\.", STATE.split("**Blob Storage.**")[1])
    assert said is not None
    role = azure.resources["azurerm_role_assignment.log"]
    assert role["role_definition_name"] == said[1]
    assert role["scope"].endswith("/storageAccounts/shopcloudfaillog/blobServices/default/containers/cloudfail")
    member = azure.references("azurerm_role_assignment.log", "principal_id")[0]
    assert member == "azurerm_user_assigned_identity.watch.principal_id"
    # A key would go around every role.
    assert azure.resources["azurerm_storage_account.log[0]"]["shared_access_key_enabled"] is False
    assert azure.resources["azurerm_storage_account.log[0]"]["allow_nested_items_to_be_public"] is False


def test_silence_raises_the_alarm_of_azure_and_somebody_hears(azure: Plan) -> None:
    alarm = azure.resources["azurerm_monitor_scheduled_query_rules_alert_v2.not_run"]
    [criteria] = alarm["criteria"]
    assert (criteria["operator"], criteria["threshold"], criteria["time_aggregation_method"]) == (
        "LessThan",
        1,
        "Count",
    )
    assert (alarm["window_duration"], alarm["evaluation_frequency"]) == ("PT5M", "PT1M")
    assert alarm["action"][0]["action_groups"] == ["/subscriptions/1/page"]
    assert alarm["enabled"] is not False
    name = azure.resources["azurerm_function_app_flex_consumption.runner"]["name"]
    assert f"'{name}'" in criteria["query"]


def test_the_account_of_azure_is_locked_and_is_what_the_state_says(azure: Plan) -> None:
    account = azure.resources["azurerm_storage_account.log[0]"]
    assert azure.resources["azurerm_management_lock.log[0]"]["lock_level"] == "CanNotDelete"
    assert azure.references("azurerm_management_lock.log", "scope")[0].startswith("azurerm_storage_account.log[0]")
    assert azure.outputs["state"] == f"azblob://{account['name']}/cloudfail?region={account['location']}"
    assert BlobKind().place(azure.outputs["state"]).regions == ("westeurope",)
