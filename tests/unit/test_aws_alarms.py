"""What of an alarm is a function: the alarms that a composite one's rule names, and how old a metric's data is."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError
from cloudfail.permissions import needed
from cloudfail_aws.signals.alarm_rule import children
from cloudfail_aws.signals.metric_age import Unseen, longest_period, measured_at, queries
from cloudfail_aws.signals.options import AlarmMember, AlarmOptions


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ('ALARM("5xx")', ("5xx",)),
        ("ALARM(5xx) OR ALARM(latency-p99)", ("5xx", "latency-p99")),
        ("ALARM('two words') AND (NOT OK(\"5xx\") OR INSUFFICIENT_DATA(x))", ("two words", "5xx", "x")),
        ('ALARM("arn:aws:cloudwatch:us-west-2:111111111111:alarm:shop:5xx")', ("shop:5xx",)),
        ('ALARM("5xx") AND NOT ALARM("5xx") AND TRUE', ("5xx",)),
        ('ALARM("has (parens) AND words")', ("has (parens) AND words",)),
    ],
)
def test_a_rule_names_its_alarms(rule: str, named: tuple[str, ...]) -> None:
    assert children(rule) == named


@pytest.mark.parametrize(
    "rule",
    ["AT_LEAST(2, ALARM, (a, b, c))", 'ALARM("5xx") XOR ALARM("y")', 'ALARM("5xx"', "TRUE", "", "FALSE OR TRUE"],
)
def test_a_rule_that_is_not_understood_is_not_guessed(rule: str) -> None:
    with pytest.raises(ValueError, match=r"not read here|names no alarm"):
        children(rule)


def stamp(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def told(**series: list[float]) -> dict[str, Any]:
    return {
        "MetricDataResults": [{"Id": name, "Timestamps": [stamp(one) for one in at]} for name, at in series.items()]
    }


ONE = {"Namespace": "shop", "MetricName": "errors", "Dimensions": [], "Statistic": "Sum", "Period": 300}
STAT = {"Metric": {"Namespace": "shop", "MetricName": "errors"}, "Period": 60, "Stat": "Sum"}
RATE: dict[str, Any] = {
    "Metrics": [
        {"Id": "rate", "Expression": "FILL(errors, 0) / requests", "ReturnData": True, "Label": "rate"},
        {"Id": "errors", "MetricStat": STAT, "ReturnData": False},
        {"Id": "requests", "MetricStat": {**STAT, "Period": 120}, "ReturnData": False},
    ]
}


def test_one_metric_is_asked_for_as_the_alarm_reads_it() -> None:
    (asked,) = queries({**ONE, "Unit": "Count", "Dimensions": [{"Name": "alb", "Value": "web"}]})
    assert asked["MetricStat"] == {
        "Metric": {"Namespace": "shop", "MetricName": "errors", "Dimensions": [{"Name": "alb", "Value": "web"}]},
        "Period": 300,
        "Stat": "Sum",
        "Unit": "Count",
    }
    assert queries({**ONE, "Statistic": None, "ExtendedStatistic": "p99"})[0]["MetricStat"]["Stat"] == "p99"
    assert longest_period([asked]) == 300


def test_every_metric_of_an_expression_is_asked_for() -> None:
    asked = queries(RATE)
    assert [one["ReturnData"] for one in asked] == [True, True, True]
    assert all("Label" not in one for one in asked)
    assert longest_period(asked) == 120


@pytest.mark.parametrize(
    ("series", "at"),
    [
        ({"rate": [900.0, 840.0], "errors": [900.0], "requests": [900.0]}, 900.0),
        (
            {"rate": [900.0], "errors": [], "requests": [900.0]},
            900.0,
        ),  # errors are counted where there are some
        ({"rate": [900.0], "errors": [300.0], "requests": [600.0]}, 600.0),  # what is filled in proves nothing
        ({"rate": [300.0], "errors": [900.0], "requests": [300.0]}, 300.0),  # errors without requests: no rate
    ],
)
def test_an_expression_is_as_old_as_its_result_and_as_what_was_really_reported(
    series: dict[str, list[float]], at: float
) -> None:
    assert measured_at(queries(RATE), told(**series), RATE) == at


@pytest.mark.parametrize(
    "series",
    [{}, {"rate": [900.0]}, {"errors": [900.0], "requests": [900.0]}, {"rate": [], "errors": [900.0]}],
)
def test_an_expression_without_a_result_or_without_any_metric_says_nothing(series: dict[str, list[float]]) -> None:
    with pytest.raises(Unseen):
        measured_at(queries(RATE), told(**series), RATE)


def test_a_band_that_was_predicted_is_no_measurement() -> None:
    alarm = {
        "Metrics": [
            {"Id": "m", "MetricStat": STAT, "ReturnData": True},
            {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m, 2)", "ReturnData": True},
        ],
        "ThresholdMetricId": "band",
    }
    assert measured_at(queries(alarm), told(m=[300.0], band=[900.0]), alarm) == 300.0


def test_a_query_over_all_metrics_has_only_its_result() -> None:
    alarm = {"Metrics": [{"Id": "q", "Expression": "SELECT MAX(errors) FROM shop", "Period": 60, "ReturnData": True}]}
    assert measured_at(queries(alarm), told(q=[900.0]), alarm) == 900.0
    with pytest.raises(Unseen):
        measured_at(queries(alarm), told(q=[]), alarm)


@pytest.mark.parametrize("status", ["Forbidden", "InternalError"])
def test_data_that_cloudwatch_could_not_read_says_nothing(status: str) -> None:
    reply = told(m=[900.0])
    reply["MetricDataResults"][0]["StatusCode"] = status
    with pytest.raises(Unseen, match=status):
        measured_at(queries(ONE), reply, ONE)


def test_an_alarm_over_logs_says_nothing() -> None:
    with pytest.raises(Unseen, match="neither a metric nor an expression"):
        queries({"AlarmName": "logs"})


def test_a_member_is_a_name_or_says_where_it_stands() -> None:
    assert AlarmMember.model_validate("5xx").model_dump() == {"alarm": "5xx", "stands_in": None}
    member = AlarmMember.model_validate({"alarm": "5xx", "in": "us-west-2"})
    assert AlarmMember.model_validate(member.model_dump()) == member
    assert AlarmOptions().stale_after == 300
    for wrong in ({"alarm": ""}, {"alarm": "5xx", "in": "oregon"}, {"alarm": "5xx", "at": "us-west-2"}, {}):
        with pytest.raises(ValueError, match="AlarmMember"):
            AlarmMember.model_validate(wrong)


FILE = """
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  us-east-1: {provider: aws, account: "111111111111"}
  us-west-2: {provider: aws, account: "111111111111"}
primary: us-east-1
state: "memory:"
resources:
  errors: {signals: cloudwatch-alarm, stale_after: 12m,
           members: {us-east-1: {alarm: 5xx, in: us-west-2}, us-west-2: 5xx}}
  health: {signals: health-events, services: [EC2, RDS]}
checks:
  web:    {http: "https://shop.example/healthz"}
  alarms: {signal: errors, every: 30s}
  issues: {signal: health, every: 30s}
"""


def test_both_kinds_load_and_are_built_without_a_call_and_their_permissions_are_told(tmp_path: Path) -> None:
    (tmp_path / "cloudfail.yaml").write_text(FILE)
    loaded = config.load(tmp_path / "cloudfail.yaml")
    errors = loaded.topology.resources["errors"]
    assert errors.members["us-east-1"] == {"alarm": "5xx", "stands_in": "us-west-2"}
    for name in ("errors", "health"):
        assert loaded.kinds[name].build(loaded.topology.resources[name], loaded.topology).read
    (watch,) = needed(loaded, "aws").roles
    said = {(grant.region, *grant.actions) for grants in watch.grants.values() for grant in grants}
    assert watch.does == "watch"
    assert said == {
        ("us-west-2", "cloudwatch:DescribeAlarms"),
        ("us-west-2", "cloudwatch:GetMetricData"),
        ("us-east-1", "health:DescribeEvents"),
        ("us-east-2", "health:DescribeEvents"),
    }


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("stale_after: 12m", "stale_after: 12", "a time carries its unit"),
        ("stale_after: 12m", "fresh: 12m", "fresh"),
        ("in: us-west-2", "in: oregon", "does not have the form"),
        ("services: [EC2, RDS]", "services: []", "services"),
        ("services: [EC2, RDS]", "services: [ec2]", "does not have the form"),
        (", services: [EC2, RDS]", "", "services"),
    ],
)
def test_a_mistake_in_a_signal_is_found_while_the_file_is_read(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    (tmp_path / "cloudfail.yaml").write_text(FILE.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        config.load(tmp_path / "cloudfail.yaml")
    assert problem in str(raised.value)
