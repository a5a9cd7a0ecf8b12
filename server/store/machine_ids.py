"""Defines machine ids: a number for each process that makes ids (`server.ids`)."""

from typing import Protocol


class MachineIds(Protocol):
    async def claim_machine_id(self) -> int:
        """Returns a machine id (16 bits) that no other process was given lately."""

    async def spare_machine_id(self) -> int:
        """Returns one for a process that cannot write now: random, and not claimed for long."""
