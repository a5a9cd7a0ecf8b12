"""Defines machine ids: numbers of processes that make ids (`server.ids`)."""

from typing import Protocol


class MachineIds(Protocol):
    async def claim_machine_id(self) -> int:
        """Returns a machine id (16 bits) that no other process was given lately."""

    async def spare_machine_id(self) -> int:
        """Returns a random machine id for a process that cannot write; it is claimed much later."""
