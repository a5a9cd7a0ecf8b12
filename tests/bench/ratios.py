"""Makes figures of two rows: ratios of their CPU and of their rates, within one round.

Rule: `bounds` are `asked` and `stretch`; nothing is asked without them.
"""

from tests.bench.work import Ratio


def cpu(name: str, title: str, over: str, under: str, **bounds: float | None) -> Ratio:
    """Returns the CPU of a request of one row, divided by that of another."""
    return Ratio(
        name=name,
        title=title,
        needs=frozenset({over, under}),
        of=lambda works: works[over].cpu_us / works[under].cpu_us,
        asked=bounds.get("asked"),
        stretch=bounds.get("stretch"),
    )


def times_less_cpu(name: str, title: str, ours: str, theirs: str, **bounds: float | None) -> Ratio:
    """Returns how many times the CPU of ours theirs takes: more is better."""
    return Ratio(
        name=name,
        title=title,
        needs=frozenset({ours, theirs}),
        of=lambda works: works[theirs].cpu_us / works[ours].cpu_us,
        asked=bounds.get("asked"),
        stretch=bounds.get("stretch"),
        is_at_most=False,
    )


def rate(name: str, title: str, over: str, under: str, **bounds: float | None) -> Ratio:
    """Returns the requests a second of one row, divided by those of another: more is better."""
    return Ratio(
        name=name,
        title=title,
        needs=frozenset({over, under}),
        of=lambda works: works[over].rate / works[under].rate,
        asked=bounds.get("asked"),
        stretch=bounds.get("stretch"),
        is_at_most=False,
    )
