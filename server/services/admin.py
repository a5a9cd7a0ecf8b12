"""Serves ZITADEL's AdminService: organisations, read only, for tools that look them up.

Follows docs/api.md "AdminService" and "Organisations".
"""

from typing import Final

from server.rpc.call_info import current_caller
from server.services.org_lists import fill_org, list_orgs, org_not_found, orgs_query, sorted_by
from server.store.read_model import FirstOrg, OrgById, Orgs, ReadModel
from server.threads import ThreadPool
from zitadel import admin_pb2 as pb
from zitadel.admin_pb2_grpc import AdminServiceServicer

INLINE_MAX_ORGS: Final = 500
"""Max organisations of a page that is made on the loop, at about 4 µs each; more take a thread."""


class AdminService(AdminServiceServicer):
    def __init__(self, reads: ReadModel, *, threads: ThreadPool) -> None:
        self._reads = reads
        self._threads = threads

    async def GetDefaultOrg(
        self, request: pb.GetDefaultOrgRequest, context: object
    ) -> pb.GetDefaultOrgResponse:
        org = await self._reads.read(FirstOrg())
        if org is None:
            raise org_not_found("")
        response = pb.GetDefaultOrgResponse()
        fill_org(response.org, org)
        return response

    async def GetOrgByID(
        self, request: pb.GetOrgByIDRequest, context: object
    ) -> pb.GetOrgByIDResponse:
        org = await self._reads.read(OrgById(request.id))
        if org is None:
            raise org_not_found(request.id)
        response = pb.GetOrgByIDResponse()
        fill_org(response.org, org)
        return response

    async def ListOrgs(self, request: pb.ListOrgsRequest, context: object) -> pb.ListOrgsResponse:
        page = await self._reads.read(Orgs(orgs_query(request)))
        column = sorted_by(request)
        if len(page.items) > INLINE_MAX_ORGS:
            return await self._threads.run(current_caller().org_id, list_orgs, page, column)
        return list_orgs(page, column)
