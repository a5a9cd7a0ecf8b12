"""Makes spans of commands and of batches, around the queue of commands.

A batch works for many callers, so its span is of a trace of its own, with a link to each command.
Rule: only a command of a recorded call costs anything.
"""

from collections.abc import Sequence
from typing import Final

from server.commands.base import Change, Command, Commands, Facts, R
from server.domain.aggregates import Key, Name
from server.domain.refusals import Refusal
from server.tracing.trace_context import TraceContext
from server.tracing.tracer import Kind, Tracer

COMMIT: Final = "commit"


class TracedCommands:
    """Executes commands by another, each in a span."""

    def __init__(self, commands: Commands, tracer: Tracer) -> None:
        self._commands = commands
        self._tracer = tracer

    async def execute(self, command: Command[R], *, allow_noop: bool = False) -> R:
        parent = self._tracer.current()
        if parent is None or not parent.is_sampled:
            return await self._commands.execute(command, allow_noop=allow_noop)
        name = type(command).__name__
        span = self._tracer.begin(f"command {name}", Kind.INTERNAL, parent)
        span.attributes["actions.command"] = name
        fault = ""
        try:
            traced = TracedCommand(command, span.context)
            return await self._commands.execute(traced, allow_noop=allow_noop)
        except Refusal as refusal:
            span.attributes["actions.refusal"] = refusal.kind.name
            raise
        except BaseException as error:
            fault = type(error).__name__
            raise
        finally:
            self._tracer.end(span, error=fault)


class TracedCommand(Command[R]):
    """Adds the span of a command to it, for the span of its batch."""

    __slots__ = ("_command", "editor", "trace")

    def __init__(self, command: Command[R], trace: TraceContext) -> None:
        self._command = command
        self.editor = command.editor
        self.trace = trace

    @property
    def aggregates(self) -> tuple[Key, ...]:
        return self._command.aggregates

    @property
    def dependants_of(self) -> tuple[Key, ...]:
        return self._command.dependants_of

    @property
    def names(self) -> tuple[Name, ...]:
        return self._command.names

    @property
    def actions(self) -> tuple[str, ...]:
        return self._command.actions

    @property
    def cost_chars(self) -> int:
        return self._command.cost_chars

    def decide(self, facts: Facts) -> Sequence[Change]:
        return self._command.decide(facts)

    def outcome(self, facts: Facts) -> R:
        return self._command.outcome(facts)


class CommitSpans:
    """Makes a span of each batch that has a recorded command."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def batch_ended(
        self, commands: Sequence[Command[object]], seconds: float, *, is_written: bool
    ) -> None:
        links = [command.trace for command in commands if isinstance(command, TracedCommand)]
        if links:
            self._tracer.record(
                COMMIT,
                took_s=seconds,
                links=links,
                attributes={"actions.batch.commands": len(commands)},
                error="" if is_written else "not written",
            )

    def refused(self) -> None:
        """Does nothing: the span of the command has its refusal."""
