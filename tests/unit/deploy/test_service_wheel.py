"""Imports of the service's copy are moved below its package; all other text stays."""

import pytest

from deploy.service_wheel import rewritten

MOVED = {"server": "actions_service", "zitadel": "actions_service.zitadel"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "from server import urls\n", "from actions_service import urls\n", id="a package"
        ),
        pytest.param(
            "from server.rpc.chain import (\n    Chain,\n)\n",
            "from actions_service.rpc.chain import (\n    Chain,\n)\n",
            id="a module, names on lines of their own",
        ),
        pytest.param(
            "from zitadel import org_pb2 as zitadel_dot_org\n",
            "from actions_service.zitadel import org_pb2 as zitadel_dot_org\n",
            id="generated code",
        ),
        pytest.param(
            "def f():\n    from server.app import run\n",
            "def f():\n    from actions_service.app import run\n",
            id="inside a function",
        ),
        pytest.param(
            "import os\nfrom servers import x\nfrom . import server\n",
            "import os\nfrom servers import x\nfrom . import server\n",
            id="other packages, and relative imports",
        ),
        pytest.param(
            "'''\nfrom server import urls\n'''  # from zitadel import x\n",
            "'''\nfrom server import urls\n'''  # from zitadel import x\n",
            id="text and comments",
        ),
        pytest.param(
            "name = '/zitadel.management.v1.ManagementService/Healthz'\n",
            "name = '/zitadel.management.v1.ManagementService/Healthz'\n",
            id="the name of a method",
        ),
        pytest.param(
            "PROGRAM = 'python -m server'\n", "PROGRAM = 'actions-service'\n", id="the command"
        ),
        pytest.param(
            "'''Run `python -m server.config.reference`.'''\n",
            "'''Run `python -m actions_service.config.reference`.'''\n",
            id="the command of a module",
        ),
        pytest.param(
            "BuildTopDescriptorsAndMessages(DESCRIPTOR, 'zitadel.org_pb2', _globals)\n",
            "BuildTopDescriptorsAndMessages(DESCRIPTOR, 'actions_service.zitadel.org_pb2', "
            "_globals)\n",
            id="the module of generated classes",
        ),
    ],
)
def test_only_names_of_moved_modules_and_the_command_change(source: str, expected: str) -> None:
    assert rewritten(source, MOVED) == expected


def test_an_import_that_binds_the_name_of_a_moved_package_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^app\.py:2: expected `from … import`$"):
        rewritten("import os\nimport server.app\n", MOVED, name="app.py")
