"""What AWS and its SDK answer, as the four classes that decide about a retry.

A test stands behind every row. The question of each row is only: did the call take effect, and would the same call
later? A reply that says "refused" took no effect; silence after the request was sent, and a server's own error, leave
that open. Sources: "Error handling with DynamoDB" (developer guide), "Error responses" (S3 API reference), "Common
errors" (both), botocore/exceptions.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient

Classified: TypeAlias = Transient | Permanent | Conflict | OutcomeUnknown
_Class: TypeAlias = type[Transient] | type[Permanent] | type[Conflict] | type[OutcomeUnknown]

RAISES = (ClientError, BotoCoreError, ResponseParserError, OSError, ValueError)
"""All that a call may raise. OSError holds TimeoutError, which is our own bound on a call; ValueError is what botocore
says to an endpoint that is no URL."""

# By the code that the service gave.
CODE: Mapping[str, _Class] = {
    # The condition did not hold: somebody was first.
    "ConditionalCheckFailedException": Conflict,
    "PreconditionFailed": Conflict,
    "InvalidIfMatchVersion": Conflict,  # CloudFront: the ETag is none of this object's any more
    "412": Conflict,  # HeadObject has no body, so its code is the status
    "ConflictException": Conflict,  # a routing control's safety rule, too: how the controls stand tells them apart
    # A database, or what fences it, is not in the state that was seen.
    "DBClusterSnapshotAlreadyExistsFault": Conflict,
    "DBInstanceAlreadyExists": Conflict,
    "DBSnapshotAlreadyExists": Conflict,
    "InvalidDBClusterSnapshotStateFault": Conflict,
    "InvalidDBClusterStateFault": Conflict,
    "InvalidDBInstanceState": Conflict,
    "InvalidDBSnapshotState": Conflict,
    "InvalidGlobalReplicationGroupState": Conflict,  # the same of a global datastore
    "InvalidGlobalClusterStateFault": Conflict,  # a move of the writer is under way: look again
    "InvalidNetworkAclEntry.NotFound": Conflict,
    "NetworkAclEntryAlreadyExists": Conflict,
    # A route, an address or a prefix list is not as it was seen.
    "InvalidAssociationID.NotFound": Conflict,
    "InvalidRoute.NotFound": Conflict,
    "PrefixListVersionMismatch": Conflict,
    "Resource.AlreadyAssociated": Conflict,  # an address that somebody holds
    "RouteAlreadyExists": Conflict,
    # Nobody knows which of two uploads at one moment was first.
    "ConditionalRequestConflict": OutcomeUnknown,
    # Refused before anything was written, and welcome later.
    "ReplicatedWriteConflictException": Transient,  # another region's write to the same item was under way
    "TransactionConflictException": Transient,
    "ThrottlingException": Transient,
    "Throttling": Transient,
    "ThrottledException": Transient,
    "RequestThrottled": Transient,
    "RequestThrottledException": Transient,
    "ProvisionedThroughputExceededException": Transient,
    "RequestLimitExceeded": Transient,
    "TooManyRequestsException": Transient,
    "SlowDown": Transient,
    "503 Slow Down": Transient,
    "OperationAborted": Transient,
    "RequestTimeout": Transient,  # S3 gave up waiting for the request's body
    "PriorRequestNotComplete": Transient,  # Route 53 makes one batch of a zone at a time
    "InvalidInstanceId": Transient,  # Systems Manager: not there, not running, or its agent has not registered (yet)
    "EC2ThrottledException": Transient,  # Lambda: EC2 throttled it while it made ready to run the function
    "ResourceNotReadyException": Transient,  # Lambda: the function is inactive, and is being made ready
    "SnapStartNotReadyException": Transient,
    "EndpointTemporarilyUnavailableException": Transient,  # one of a routing control cluster's five
    "InsufficientDBInstanceCapacity": Transient,
    "TableInUseException": Transient,
    "ResourceInUseException": Transient,
    # Something else is under way on the same object: its next change is refused until that is over.
    "ConcurrentModificationException": Transient,  # EventBridge
    "ConcurrentUpdateException": Transient,  # Application Auto Scaling
    "ResourceConflictException": Transient,  # Lambda
    "ResourceContention": Transient,  # Auto Scaling; its status is 500, and it was not done
    "ResourceInUse": Transient,  # Auto Scaling
    "InvalidUserState": Transient,  # ElastiCache: another change of the user is under way
    "InvalidReplicationGroupState": Transient,  # ElastiCache: of its tags
    "ScalingActivityInProgress": Transient,
    "IncorrectState": Transient,  # EC2: a prefix list whose last change is still under way
    "QueryLimitExceededException": Transient,  # Neptune's queue is full: the query was not begun
    # The server's own trouble: a write may have been made.
    "InternalServerError": OutcomeUnknown,
    "InternalError": OutcomeUnknown,
    "InternalFailure": OutcomeUnknown,
    "InternalException": OutcomeUnknown,  # EventBridge
    "InternalServerException": OutcomeUnknown,  # EventBridge Scheduler
    "InternalServiceException": OutcomeUnknown,  # Application Auto Scaling
    "ServerException": OutcomeUnknown,  # ECS, EKS
    "ServiceException": OutcomeUnknown,  # Lambda
    "ServiceUnavailable": OutcomeUnknown,
    "Unavailable": OutcomeUnknown,  # EC2
    # Who we are, and what we may.
    "AccessDenied": Permanent,
    "AccessDeniedException": Permanent,
    "AllAccessDisabled": Permanent,
    "AccountProblem": Permanent,
    "AuthFailure": Permanent,  # EC2
    "UnauthorizedOperation": Permanent,  # EC2
    "403": Permanent,
    "ExpiredToken": Permanent,
    "ExpiredTokenException": Permanent,
    "InvalidToken": Permanent,
    "TokenRefreshRequired": Permanent,
    "UnrecognizedClientException": Permanent,
    "InvalidClientTokenId": Permanent,
    "InvalidAccessKeyId": Permanent,
    "SignatureDoesNotMatch": Permanent,
    "SubscriptionRequiredException": Permanent,  # Health: the account has no support plan for it
    "InvalidSignatureException": Permanent,
    "IncompleteSignature": Permanent,
    "MissingAuthenticationToken": Permanent,
    "OptInRequired": Permanent,
    "RequestExpired": Permanent,
    "RequestTimeTooSkewed": Permanent,
    # What was asked of.
    "ResourceNotFoundException": Permanent,
    "NoSuchBucket": Permanent,
    "NoSuchResourceException": Permanent,  # Service Quotas: this one was never applied
    "NoSuchHealthCheck": Permanent,
    "NoSuchHostedZone": Permanent,
    "NoSuchKey": Permanent,
    "404": Permanent,
    "301": Permanent,
    "PermanentRedirect": Permanent,
    "AuthorizationHeaderMalformed": Permanent,  # signed for another region
    "ClusterNotFoundException": Permanent,
    "NotFoundException": Permanent,
    "GlobalReplicationGroupNotFoundFault": Permanent,
    "ReplicationGroupNotFoundFault": Permanent,
    "UserNotFound": Permanent,
    "ProvisionedConcurrencyConfigNotFoundException": Permanent,
    "ServiceNotActiveException": Permanent,  # ECS: it is being deleted
    "ServiceNotFoundException": Permanent,
    "TargetGroupNotFound": Permanent,
    # What was asked of a database, or of what fences it.
    "DBClusterNotFoundFault": Permanent,
    "DBClusterSnapshotNotFoundFault": Permanent,
    "DBInstanceNotFound": Permanent,
    "DBSnapshotNotFound": Permanent,
    "GlobalClusterNotFoundFault": Permanent,
    "InstanceQuotaExceeded": Permanent,
    "InvalidNetworkAclID.NotFound": Permanent,
    "InvalidParameterCombination": Permanent,
    "InvalidParameterValue": Permanent,
    "KMSKeyNotAccessibleFault": Permanent,
    "NetworkAclEntryLimitExceeded": Permanent,
    "NoSuchEntity": Permanent,  # IAM: a role, or a policy of it
    "ReadOnlyViolationException": Permanent,  # Neptune: a write on a reader
    "SnapshotQuotaExceeded": Permanent,
    "StorageQuotaExceeded": Permanent,
    # What was asked of a VPC.
    "DryRunOperation": Permanent,  # it was asked only whether it might, and it might
    "InvalidAllocationID.NotFound": Permanent,
    "InvalidGatewayID.NotFound": Permanent,
    "InvalidInstanceID.NotFound": Permanent,
    "InvalidNetworkInterfaceID.NotFound": Permanent,
    "InvalidPrefixListID.NotFound": Permanent,
    "InvalidRouteTableID.NotFound": Permanent,
    "InvalidTransitGatewayID.NotFound": Permanent,
    "InvalidVpcEndpointId.NotFound": Permanent,
    "InvalidVpcPeeringConnectionID.NotFound": Permanent,
    "NatGatewayNotFound": Permanent,
    "RouteLimitExceeded": Permanent,
    # What was asked.
    "ClientException": Permanent,  # ECS, EKS
    "InvalidParameterException": Permanent,
    "InvalidParameterValueException": Permanent,
    "InvalidRequestException": Permanent,
    "LimitExceeded": Permanent,  # a quota of the account, which waiting does not raise
    "LimitExceededException": Permanent,
    "ManagedRuleException": Permanent,
    "ServiceQuotaExceededException": Permanent,
    "IllegalArgumentException": Permanent,  # Service Quotas
    "InvalidDocument": Permanent,
    "InvalidDocumentVersion": Permanent,
    "InvalidParameters": Permanent,
    "UnsupportedPlatformType": Permanent,
    "UnsupportedFeatureException": Permanent,
    "ValidationError": Permanent,
    "ValidationException": Permanent,
    "SerializationException": Permanent,
    "InvalidChangeBatch": Permanent,  # what of it is somebody else's change, the zone tells
    "InvalidInput": Permanent,
    "InvalidPaginationToken": Permanent,
    "ServiceLimitExceededException": Permanent,
    "ItemCollectionSizeLimitExceededException": Permanent,
    "EntityTooLarge": Permanent,
    "KeyTooLongError": Permanent,
    "InvalidRequest": Permanent,
    "NotImplemented": Permanent,
}

# By the class of what the SDK raised, or of the nearest one above it.
RAISED: Mapping[str, _Class] = {
    # Before the request was sent.
    "ConnectTimeoutError": Transient,
    "EndpointConnectionError": Transient,  # refused, no route, no such name
    "ProxyConnectionError": Transient,
    "MetadataRetrievalError": Transient,  # what hands out the credentials did not answer
    "CredentialRetrievalError": Transient,
    "NoCredentialsError": Permanent,
    "PartialCredentialsError": Permanent,
    "NoAuthTokenError": Permanent,
    "TokenRetrievalError": Permanent,
    "SSOError": Permanent,  # and SSOTokenLoadError, UnauthorizedSSOTokenError
    "LoginError": Permanent,
    "RefreshWithMFAUnsupportedError": Permanent,
    "ProfileNotFound": Permanent,
    "ConfigParseError": Permanent,
    "NoRegionError": Permanent,
    "EndpointProviderError": Permanent,
    "ValidationError": Permanent,
    "ParamValidationError": Permanent,
    "DataNotFoundError": Permanent,
    # After it was, or nobody can tell.
    "SSLError": OutcomeUnknown,  # while greeting, or in the middle of an answer
    "ReadTimeoutError": OutcomeUnknown,
    "ConnectionClosedError": OutcomeUnknown,
    "HTTPClientError": OutcomeUnknown,
    "ResponseStreamingError": OutcomeUnknown,
    "IncompleteReadError": OutcomeUnknown,
    "FlexibleChecksumError": OutcomeUnknown,
    "ResponseParserError": OutcomeUnknown,
    "OSError": OutcomeUnknown,
}

_LOGIN_CODES = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "UnrecognizedClientException",
        "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException",
        "IncompleteSignature", "MissingAuthenticationToken", "RequestExpired", "AuthFailure",
    }
)  # fmt: skip
_LOGIN_RAISED = frozenset(
    {
        "NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError", "TokenRetrievalError", "SSOError",
        "LoginError", "RefreshWithMFAUnsupportedError", "ProfileNotFound", "CredentialRetrievalError",
        "MetadataRetrievalError",
    }
)  # fmt: skip
_DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
# Where the policy's word is not the operation's. HeadObject says 403 for a key that is not there to whom may not list.
_ACTIONS: Mapping[str, str] = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "AssumeRole": "sts:AssumeRole",
}


def code_of(error: Exception) -> str:
    """The service's own code; "" where it gave none."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def status_of(error: Exception) -> int:
    """The HTTP status; 0 where there was none."""
    if not isinstance(error, ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def classify(error: Exception) -> Classified:
    """The class of what a call raised. What is in neither table is OutcomeUnknown: look first."""
    if isinstance(error, ClientError):
        kind = CODE.get(code_of(error)) or _by_status(status_of(error))
    else:
        kind = _row(error, RAISED) or OutcomeUnknown
    return kind(words(error))


def words(error: Exception) -> str:
    """What happened, on one line."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {}).get("Message") or "no message"
        return f"{error.operation_name}: {said} ({code_of(error) or status_of(error)})"
    return " ".join(str(error).split()) or type(error).__name__


def to_do(error: Exception, service: str) -> str | None:
    """What a person does about it, where it is about who we are and what we may; else None."""
    if code_of(error) in _DENIED_CODES and isinstance(error, ClientError):
        action = _ACTIONS.get(error.operation_name, f"{service}:{error.operation_name}")
        return f"Allow {action} to the identity that this shows: aws sts get-caller-identity"
    if code_of(error) == "RequestTimeTooSkewed":
        return "Set this machine's clock: timedatectl"
    if code_of(error) in _LOGIN_CODES or any(kind.__name__ in _LOGIN_RAISED for kind in type(error).__mro__):
        return "Renew the credentials of this process, and see whose they are: aws sts get-caller-identity"
    return None


def _by_status(status: int) -> _Class:
    if status == 429:
        return Transient
    if 400 <= status < 500 and status != 409:
        return Permanent
    return OutcomeUnknown


def _row(error: Exception, table: Mapping[str, _Class]) -> _Class | None:
    return next((table[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in table), None)
