"""Reads the page of metrics of a running service."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


async def metrics_of(address: str) -> dict[str, float]:
    """Returns each sample by its name and sorted labels, as `calls_total{code="OK"}`."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}/metrics") as response,
    ):
        assert response.status == 200, await response.text()
        page = await response.text()
    return {
        _shown(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _shown(name: str, labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs else name
