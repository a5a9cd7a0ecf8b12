"""A log of runs that keeps them in memory."""

from actions.v1 import execution_pb2 as pb
from server.runs.pending_counts import PendingCounts
from server.scripts.contract import ActionResult
from server.store.runs import CountedActions, LoggedRun, RunsPage, RunsQuery

NOW = 1_700_000_000_000_000


class KeptRuns:
    def __init__(self) -> None:
        self.dropped = 3
        self.runs: list[LoggedRun] = []
        self.counts = PendingCounts()

    def count(self, org_id: str, result: ActionResult) -> None:
        self.counts.count(org_id, result)

    def add(self, run: LoggedRun) -> None:
        self.runs.append(run)

    async def page(self, org_id: str, query: RunsQuery) -> RunsPage:
        return RunsPage([run.content for run in self.runs if run.org_id == org_id], 5)

    async def counted_actions(self, org_id: str) -> CountedActions:
        counts = self.counts.take()
        self.counts.put_back(counts)
        return CountedActions(NOW, [each for each in counts if each.org_id == org_id])

    def told(self) -> list[pb.Run]:
        return [pb.Run.FromString(run.content) for run in self.runs]
