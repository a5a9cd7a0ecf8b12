"""Builds the chain that every call passes, over every protocol.

Outermost first: request ids, traces, counts and the access log, error mapping, authorization,
overload, validation.
So the first error of a call is UNAUTHENTICATED, then PERMISSION_DENIED or NOT_FOUND, then
RESOURCE_EXHAUSTED, then INVALID_ARGUMENT, then one of the service. Authorization is a gate: it
reads only headers, before the request has arrived.

The chain runs in front of grpc.aio's handlers, and of the transcoder's with entity tags.
Rule: an interceptor adds to a call by `CallInfo` alone.
"""

from collections.abc import Mapping

from server.identity.authorization import Authorizer
from server.metrics.service import ServiceMetrics
from server.rpc.chain import Chain, FindOther
from server.rpc.errors import CallFailures
from server.rpc.interceptors.access_log import AccessLog, ClientOf
from server.rpc.interceptors.authorization import Authorization
from server.rpc.interceptors.counting import Counting
from server.rpc.interceptors.error_mapping import ErrorMapping
from server.rpc.interceptors.overload import CALLS_MAX, Overload
from server.rpc.interceptors.request_ids import RequestIds
from server.rpc.interceptors.tracing import Tracing
from server.rpc.validation.interceptor import Validation
from server.rpc.validation.message_checks import MessageCheck
from server.tracing.tracer import Tracer


def service_chain(
    *,
    failures: CallFailures,
    authorizer: Authorizer,
    permissions: Mapping[str, str],
    checks: Mapping[str, MessageCheck],
    calls_max: int = CALLS_MAX,
    access_log: bool = True,
    client_of: ClientOf | None = None,
    has_subjects: bool = False,
    find_other: FindOther | None = None,
    metrics: ServiceMetrics | None = None,
    tracer: Tracer | None = None,
) -> Chain:
    """Returns the chain, for `grpc.aio.server` or a Transcoder.

    Args:
        failures: maps refusals to what callers read.
        authorizer: decides who may call.
        permissions: the permission that each method requires, by path.
        checks: the check of each method's request, by path.
        calls_max: max calls in flight.
        access_log: True logs each call.
        client_of: finds the client of a call for the log; without it, that is its peer.
        has_subjects: True if clients have certificates, whose subjects are logged, too.
        find_other: finds handlers of gRPC methods that are not registered.
        metrics: counts calls; without them nothing does.
        tracer: makes a span of each call; without it nothing does.
    """
    return Chain(
        RequestIds(),
        *(() if tracer is None else (Tracing(tracer),)),
        *(() if metrics is None else (Counting(metrics.calls),)),
        *((AccessLog(client_of, has_subjects=has_subjects),) if access_log else ()),
        ErrorMapping(failures),
        gate=Authorization(authorizer, permissions),
        inner=(
            Overload(calls_max, on_refusal=None if metrics is None else metrics.refused),
            Validation(checks),
        ),
        find_other=find_other,
    )
