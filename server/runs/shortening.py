"""What became of the actions of a run, in as many bytes as there is room for.

A status travels as metadata, and the log of runs has a size. What goes first is what actions said,
then the actions that did not run, then those that ran first: what failed is told to the end.
"""

from collections.abc import Sequence
from typing import Final

from actions.v1 import execution_pb2 as pb

_FRAME: Final = 4
"""Bytes around a message of such a size in another."""


def shorten_results(
    results: Sequence[pb.ActionResult], max_bytes: int
) -> tuple[Sequence[pb.ActionResult], bool]:
    """As much as fits, and whether that is not all; the last that ran is always there."""
    if sum(map(_size, results)) <= max_bytes:
        return results, False
    bare = [_without_logs(result) for result in results]
    first, end = 0, len(bare)
    left = max_bytes - sum(map(_size, bare))
    while left < 0 and end - first > 1:
        if bare[end - 1].state == pb.ACTION_STATE_SKIPPED:
            end -= 1
            left += _size(bare[end])
        else:
            left += _size(bare[first])
            first += 1
    for result, said in zip(bare[first:end][::-1], results[first:end][::-1], strict=True):
        kept = []
        for line in reversed(said.logs):
            if _size(line) <= left:
                left -= _size(line)
                kept.append(line)
        result.logs.extend(reversed(kept))
    return bare[first:end], True


def shorten_text(text: str, max_bytes: int) -> str:
    """As much of it as fits, in UTF-8; what was cut ends in an ellipsis."""
    if len(text) * 4 <= max_bytes or len(encoded := text.encode()) <= max_bytes:
        return text
    return encoded[: max_bytes - len("…".encode())].decode(errors="ignore") + "…"


def _size(message: pb.ActionResult | pb.LogLine) -> int:
    return message.ByteSize() + _FRAME


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
