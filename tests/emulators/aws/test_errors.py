"""Every row of the error tables, and what is in none of them."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail_aws import errors
from cloudfail_aws.asking import THROTTLED

CODES = {
    "ConditionalCheckFailedException": Conflict, "PreconditionFailed": Conflict, "InvalidIfMatchVersion": Conflict,
    "412": Conflict, "ConflictException": Conflict,
    "ConditionalRequestConflict": OutcomeUnknown,
    "ReplicatedWriteConflictException": Transient, "TransactionConflictException": Transient,
    "ThrottlingException": Transient, "Throttling": Transient, "ProvisionedThroughputExceededException": Transient,
    "ThrottledException": Transient, "RequestThrottled": Transient, "RequestThrottledException": Transient,
    "RequestLimitExceeded": Transient, "TooManyRequestsException": Transient, "SlowDown": Transient,
    "503 Slow Down": Transient, "OperationAborted": Transient, "RequestTimeout": Transient,
    "TableInUseException": Transient, "ResourceInUseException": Transient,
    "ConcurrentModificationException": Transient, "ConcurrentUpdateException": Transient,
    "ResourceConflictException": Transient, "ResourceContention": Transient, "ResourceInUse": Transient,
    "ScalingActivityInProgress": Transient, "QueryLimitExceededException": Transient,
    "NoSuchEntity": Permanent, "ReadOnlyViolationException": Permanent,
    "InternalException": OutcomeUnknown, "InternalServerException": OutcomeUnknown,
    "InternalServiceException": OutcomeUnknown, "ServerException": OutcomeUnknown, "ServiceException": OutcomeUnknown,
    "InvalidInstanceId": Transient, "EC2ThrottledException": Transient, "ResourceNotReadyException": Transient,
    "IllegalArgumentException": Permanent, "NoSuchResourceException": Permanent,
    "SnapStartNotReadyException": Transient, "InvalidDocument": Permanent, "InvalidDocumentVersion": Permanent,
    "InvalidParameters": Permanent, "UnsupportedPlatformType": Permanent,
    "PriorRequestNotComplete": Transient, "EndpointTemporarilyUnavailableException": Transient,
    "InternalServerError": OutcomeUnknown, "InternalError": OutcomeUnknown, "InternalFailure": OutcomeUnknown,
    "ServiceUnavailable": OutcomeUnknown,
    "AccessDenied": Permanent, "AccessDeniedException": Permanent, "AllAccessDisabled": Permanent,
    "AccountProblem": Permanent, "403": Permanent, "SubscriptionRequiredException": Permanent,
    "ExpiredToken": Permanent, "ExpiredTokenException": Permanent, "InvalidToken": Permanent,
    "TokenRefreshRequired": Permanent, "UnrecognizedClientException": Permanent, "InvalidClientTokenId": Permanent,
    "InvalidAccessKeyId": Permanent, "SignatureDoesNotMatch": Permanent, "InvalidSignatureException": Permanent,
    "IncompleteSignature": Permanent, "MissingAuthenticationToken": Permanent, "OptInRequired": Permanent,
    "RequestExpired": Permanent, "RequestTimeTooSkewed": Permanent,
    "ResourceNotFoundException": Permanent, "NoSuchBucket": Permanent, "NoSuchKey": Permanent, "404": Permanent,
    "NoSuchHealthCheck": Permanent, "NoSuchHostedZone": Permanent,
    "301": Permanent, "PermanentRedirect": Permanent, "AuthorizationHeaderMalformed": Permanent,
    "ValidationException": Permanent, "SerializationException": Permanent,
    "InvalidChangeBatch": Permanent, "InvalidInput": Permanent, "InvalidPaginationToken": Permanent,
    "ServiceLimitExceededException": Permanent,
    "ItemCollectionSizeLimitExceededException": Permanent, "EntityTooLarge": Permanent, "KeyTooLongError": Permanent,
    "InvalidRequest": Permanent, "NotImplemented": Permanent,
    "ClusterNotFoundException": Permanent, "NotFoundException": Permanent,
    "GlobalReplicationGroupNotFoundFault": Permanent, "ReplicationGroupNotFoundFault": Permanent,
    "UserNotFound": Permanent, "InvalidGlobalReplicationGroupState": Conflict, "InvalidUserState": Transient,
    "InvalidReplicationGroupState": Transient,
    "ProvisionedConcurrencyConfigNotFoundException": Permanent, "ServiceNotActiveException": Permanent,
    "ServiceNotFoundException": Permanent, "TargetGroupNotFound": Permanent, "ClientException": Permanent,
    "InvalidParameterException": Permanent, "InvalidParameterValueException": Permanent,
    "InvalidRequestException": Permanent, "LimitExceeded": Permanent, "LimitExceededException": Permanent,
    "ManagedRuleException": Permanent, "ServiceQuotaExceededException": Permanent,
    "UnsupportedFeatureException": Permanent, "ValidationError": Permanent,
    "DBClusterSnapshotAlreadyExistsFault": Conflict, "DBInstanceAlreadyExists": Conflict, "DBSnapshotAlreadyExists":
    Conflict, "InvalidDBClusterSnapshotStateFault": Conflict, "InvalidDBClusterStateFault": Conflict,
    "InvalidDBInstanceState": Conflict, "InvalidDBSnapshotState": Conflict, "InvalidGlobalClusterStateFault":
    Conflict, "InvalidNetworkAclEntry.NotFound": Conflict, "NetworkAclEntryAlreadyExists": Conflict,
    "InsufficientDBInstanceCapacity": Transient, "DBClusterNotFoundFault": Permanent,
    "DBClusterSnapshotNotFoundFault": Permanent, "DBInstanceNotFound": Permanent, "DBSnapshotNotFound": Permanent,
    "GlobalClusterNotFoundFault": Permanent, "InstanceQuotaExceeded": Permanent, "InvalidNetworkAclID.NotFound":
    Permanent, "InvalidParameterCombination": Permanent, "InvalidParameterValue": Permanent,
    "KMSKeyNotAccessibleFault": Permanent, "NetworkAclEntryLimitExceeded": Permanent, "SnapshotQuotaExceeded":
    Permanent, "StorageQuotaExceeded": Permanent,
    "InvalidAssociationID.NotFound": Conflict, "InvalidRoute.NotFound": Conflict, "PrefixListVersionMismatch": Conflict,
    "Resource.AlreadyAssociated": Conflict, "RouteAlreadyExists": Conflict, "IncorrectState": Transient,
    "Unavailable": OutcomeUnknown, "AuthFailure": Permanent, "UnauthorizedOperation": Permanent,
    "InvalidAllocationID.NotFound": Permanent, "InvalidGatewayID.NotFound": Permanent,
    "InvalidInstanceID.NotFound": Permanent, "InvalidNetworkInterfaceID.NotFound": Permanent,
    "InvalidPrefixListID.NotFound": Permanent, "InvalidRouteTableID.NotFound": Permanent,
    "InvalidTransitGatewayID.NotFound": Permanent, "InvalidVpcEndpointId.NotFound": Permanent,
    "InvalidVpcPeeringConnectionID.NotFound": Permanent, "NatGatewayNotFound": Permanent,
    "RouteLimitExceeded": Permanent, "DryRunOperation": Permanent,
}  # fmt: skip
RAISED = {
    "ConnectTimeoutError": Transient, "EndpointConnectionError": Transient, "ProxyConnectionError": Transient,
    "MetadataRetrievalError": Transient, "CredentialRetrievalError": Transient,
    "NoCredentialsError": Permanent, "PartialCredentialsError": Permanent, "NoAuthTokenError": Permanent,
    "TokenRetrievalError": Permanent, "SSOError": Permanent, "LoginError": Permanent,
    "RefreshWithMFAUnsupportedError": Permanent, "ProfileNotFound": Permanent, "ConfigParseError": Permanent,
    "NoRegionError": Permanent, "EndpointProviderError": Permanent, "ValidationError": Permanent,
    "ParamValidationError": Permanent, "DataNotFoundError": Permanent,
    "SSLError": OutcomeUnknown, "ReadTimeoutError": OutcomeUnknown, "ConnectionClosedError": OutcomeUnknown,
    "HTTPClientError": OutcomeUnknown, "ResponseStreamingError": OutcomeUnknown, "IncompleteReadError": OutcomeUnknown,
    "FlexibleChecksumError": OutcomeUnknown, "ResponseParserError": OutcomeUnknown, "OSError": OutcomeUnknown,
}  # fmt: skip
# What the SDK really raises below a row.
BELOW = {
    "SSOTokenLoadError": Permanent, "UnauthorizedSSOTokenError": Permanent, "LoginRefreshRequired": Permanent,
    "InvalidRegionError": Permanent, "UnknownServiceError": Permanent, "EndpointResolutionError": Permanent,
    "ChecksumError": OutcomeUnknown,
}  # fmt: skip
_WORDS = {
    "endpoint_url": "u", "error": "e", "proxy_url": "p", "provider": "p", "error_msg": "m", "cred_var": "v",
    "auth_token": "t", "profile": "p", "path": "p", "value": "v", "param": "p", "type_name": "t", "report": "r",
    "data_path": "d", "actual_bytes": 1, "expected_bytes": 2, "msg": "m", "region_name": "r", "service_name": "s",
    "known_service_names": "k", "checksum_type": "c", "expected_checksum": "e", "actual_checksum": "a",
}  # fmt: skip


def client_error(code: str, status: int = 400, operation: str = "PutItem") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "said so"}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


def raised(name: str) -> Exception:
    """One of the SDK's own, as the SDK words it."""
    if name == "ResponseParserError":
        unreadable: Exception = ResponseParserError("no XML")
        return unreadable
    if name == "OSError":
        return OSError("odd")
    kind: Any = getattr(botocore.exceptions, name)
    made: Exception = kind(**_WORDS)
    return made


def test_the_rows_of_the_tests_are_the_rows_of_the_tables() -> None:
    assert set(CODES) == set(errors.CODE)
    assert set(RAISED) == set(errors.RAISED)


def test_what_counts_as_throttling_is_tried_again() -> None:
    assert {code: errors.CODE.get(code) for code in THROTTLED} == dict.fromkeys(THROTTLED, Transient)


@pytest.mark.parametrize(("code", "kind"), list(CODES.items()))
def test_each_code_has_its_class_whatever_its_status(code: str, kind: type[Exception]) -> None:
    for status in (400, 409, 500):
        assert type(errors.classify(client_error(code, status))) is kind


@pytest.mark.parametrize(("name", "kind"), [*RAISED.items(), *BELOW.items()])
def test_each_exception_of_the_sdk_has_its_class(name: str, kind: type[Exception]) -> None:
    assert isinstance(raised(name), errors.RAISES)
    assert type(errors.classify(raised(name))) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Permanent), (403, Permanent), (409, OutcomeUnknown), (429, Transient), (500, OutcomeUnknown),
     (503, OutcomeUnknown), (0, OutcomeUnknown), (200, OutcomeUnknown)],
)  # fmt: skip
def test_a_code_that_nobody_has_seen_is_judged_by_its_status(status: int, kind: type[Exception]) -> None:
    assert type(errors.classify(client_error("NobodyHasSeenThis", status))) is kind


def test_what_is_in_no_table_is_in_doubt() -> None:
    assert type(errors.classify(TimeoutError("late"))) is OutcomeUnknown
    assert type(errors.classify(ConnectionResetError("reset"))) is OutcomeUnknown
    assert type(errors.classify(ValueError("Invalid endpoint"))) is OutcomeUnknown
    assert type(errors.classify(botocore.exceptions.BotoCoreError())) is OutcomeUnknown


@pytest.mark.parametrize(
    ("service", "operation", "code", "action"),
    [
        ("dynamodb", "PutItem", "AccessDeniedException", "dynamodb:PutItem"),
        ("dynamodb", "Query", "AccessDeniedException", "dynamodb:Query"),
        ("s3", "PutObject", "AccessDenied", "s3:PutObject"),
        ("s3", "GetObject", "AccessDenied", "s3:GetObject"),
        ("s3", "HeadObject", "403", "s3:GetObject and s3:ListBucket"),
        ("s3", "HeadBucket", "403", "s3:ListBucket"),
        ("s3", "ListObjectsV2", "AccessDenied", "s3:ListBucket"),
        ("s3", "AssumeRole", "AccessDenied", "sts:AssumeRole"),
        ("ec2", "ReplaceRoute", "UnauthorizedOperation", "ec2:ReplaceRoute"),
    ],
)
def test_a_denied_call_names_the_action_that_is_missing(service: str, operation: str, code: str, action: str) -> None:
    said = errors.to_do(client_error(code, 403, operation), service)
    assert said is not None
    assert f"Allow {action} to" in said


@pytest.mark.parametrize(
    "error",
    [
        *(
            client_error(code)
            for code in ("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "AuthFailure")
        ),
        *(raised(name) for name in ("NoCredentialsError", "TokenRetrievalError", "UnauthorizedSSOTokenError")),
    ],
)
def test_credentials_that_have_run_out_are_to_be_renewed(error: Exception) -> None:
    assert "Renew the credentials" in (errors.to_do(error, "dynamodb") or "")


def test_a_clock_that_is_wrong_is_to_be_set_and_of_the_rest_nothing_is_said() -> None:
    assert "clock" in (errors.to_do(client_error("RequestTimeTooSkewed"), "s3") or "")
    assert errors.to_do(client_error("ThrottlingException"), "dynamodb") is None
    assert errors.to_do(TimeoutError("late"), "s3") is None


def test_what_happened_is_one_line() -> None:
    assert errors.words(client_error("ThrottlingException")) == "PutItem: said so (ThrottlingException)"
    assert errors.words(ClientError({}, "HeadBucket")) == "HeadBucket: no message (0)"
    assert errors.words(OSError("two\n lines")) == "two lines"
