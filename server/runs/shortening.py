"""Shortens the results of a run to a number of bytes.

A status is sent as metadata, which is small, and the log of runs has a limit. Log lines are left
out first, then actions that did not run, then the first ones that ran; the action that failed is
kept.
"""

from collections.abc import Sequence
from typing import Final

from actions.v1 import execution_pb2 as pb

_NESTED_BYTES: Final = 4
"""Bytes of tag and length around a nested message."""


def shorten_results(
    results: Sequence[pb.ActionResult], max_bytes: int
) -> tuple[Sequence[pb.ActionResult], bool]:
    """Returns the results that fit, always with the last that ran; True if some are left out."""
    if sum(map(_nested_size, results)) <= max_bytes:
        return results, False
    bare = [_without_logs(result) for result in results]
    first, end = 0, len(bare)
    left = max_bytes - sum(map(_nested_size, bare))
    while left < 0 and end - first > 1:
        if bare[end - 1].state == pb.ACTION_STATE_SKIPPED:
            end -= 1
            left += _nested_size(bare[end])
        else:
            left += _nested_size(bare[first])
            first += 1
    for result, full in zip(bare[first:end][::-1], results[first:end][::-1], strict=True):
        kept = []
        for line in reversed(full.logs):
            if _nested_size(line) <= left:
                left -= _nested_size(line)
                kept.append(line)
        result.logs.extend(reversed(kept))
    return bare[first:end], True


def shorten_text(text: str, max_bytes: int) -> str:
    """Returns as much text as fits in UTF-8; a shortened text ends in an ellipsis."""
    if len(text) * 4 <= max_bytes or len(encoded := text.encode()) <= max_bytes:
        return text
    return encoded[: max_bytes - len("…".encode())].decode(errors="ignore") + "…"


def _nested_size(message: pb.ActionResult | pb.LogLine) -> int:
    return message.ByteSize() + _NESTED_BYTES


def _without_logs(result: pb.ActionResult) -> pb.ActionResult:
    return pb.ActionResult(
        action_id=result.action_id,
        name=result.name,
        state=result.state,
        allowed_to_fail=result.allowed_to_fail,
        failure=result.failure if result.HasField("failure") else None,
        duration=result.duration,
        queue_time=result.queue_time,
    )
