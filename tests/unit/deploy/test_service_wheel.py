"""Imports of the service's copy are moved below its package; all other text stays."""

import pytest

from deploy.service_wheel import rewritten
from tests.support.tables import cases

MOVED = {"server": "actions_service", "zitadel": "actions_service.zitadel"}


@cases(
    "source, expected",
    {
        "a package": ("from server import urls\n", "from actions_service import urls\n"),
        "a module, names on lines of their own": (
            "from server.rpc.chain import (\n    Chain,\n)\n",
            "from actions_service.rpc.chain import (\n    Chain,\n)\n",
        ),
        "generated code": (
            "from zitadel import org_pb2 as zitadel_dot_org\n",
            "from actions_service.zitadel import org_pb2 as zitadel_dot_org\n",
        ),
        "inside a function": (
            "def f():\n    from server.app import run\n",
            "def f():\n    from actions_service.app import run\n",
        ),
        "other packages, and relative imports": (
            "import os\nfrom servers import x\nfrom . import server\n",
            "import os\nfrom servers import x\nfrom . import server\n",
        ),
        "text and comments": (
            "'''\nfrom server import urls\n'''  # from zitadel import x\n",
            "'''\nfrom server import urls\n'''  # from zitadel import x\n",
        ),
        "the name of a method": (
            "name = '/zitadel.management.v1.ManagementService/Healthz'\n",
            "name = '/zitadel.management.v1.ManagementService/Healthz'\n",
        ),
        "the command": ("PROGRAM = 'python -m server'\n", "PROGRAM = 'actions-service'\n"),
        "the command of a module": (
            "'''Run `python -m server.config.reference`.'''\n",
            "'''Run `python -m actions_service.config.reference`.'''\n",
        ),
        "the module of generated classes": (
            "BuildTopDescriptorsAndMessages(DESCRIPTOR, 'zitadel.org_pb2', _globals)\n",
            "BuildTopDescriptorsAndMessages(DESCRIPTOR, 'actions_service.zitadel.org_pb2', "
            "_globals)\n",
        ),
    },
)
def test_only_names_of_moved_modules_and_the_command_change(source: str, expected: str) -> None:
    assert rewritten(source, MOVED) == expected


def test_an_import_that_binds_the_name_of_a_moved_package_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^app\.py:2: expected `from … import`$"):
        rewritten("import os\nimport server.app\n", MOVED, name="app.py")
