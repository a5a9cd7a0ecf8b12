"""Which variables are taken for misspelt settings, and which are left alone."""

import pytest

from server.config import VARIABLES
from server.config.misspelt import nearest_settings


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("ACTIONS_LISTN", "ACTIONS_LISTEN"),
        ("ACTION_LISTEN", "ACTIONS_LISTEN"),
        ("ACTIONSLISTEN", "ACTIONS_LISTEN"),
        ("actions_listen", "ACTIONS_LISTEN"),
        ("ACTIONS_GRPC-LISTEN", "ACTIONS_GRPC_LISTEN"),
        ("ACTIONS_DATADIR", "ACTIONS_DATA_DIR"),
        ("ACTIONS_CORS_ORIGIN", "ACTIONS_CORS_ORIGINS"),
        ("ACTIONS_JWT_AUDIENCES", "ACTIONS_JWT_AUDIENCE"),
        ("ACTIONS_SCRIPT_WORKER", "ACTIONS_SCRIPT_WORKERS"),
        ("ACTIONS_CONFG", "ACTIONS_CONFIG"),
        ("ACTIONS_TOKN", "ACTIONS_TOKEN"),
    ],
)
def test_misspelt_variable_has_a_nearest_setting(variable: str, nearest: str) -> None:
    assert nearest_settings([variable], VARIABLES) == {variable: nearest}


@pytest.mark.parametrize(
    "variable",
    [
        *VARIABLES,
        # Kubernetes, for a service called "actions".
        *("ACTIONS_SERVICE_HOST", "ACTIONS_SERVICE_PORT", "ACTIONS_SERVICE_PORT_GRPC"),
        *("ACTIONS_PORT", "ACTIONS_PORT_8080_TCP", "ACTIONS_PORT_8080_TCP_ADDR"),
        *("ACTIONS_PORT_8080_TCP_PORT", "ACTIONS_PORT_8080_TCP_PROTO"),
        # Runners of CI.
        *("ACTIONS_CACHE_URL", "ACTIONS_CACHE_SERVICE_V2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        *("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ORCHESTRATION_ID", "ACTIONS_RESULTS_URL"),
        *("ACTIONS_RUNNER_DEBUG", "ACTIONS_RUNNER_HOOK_JOB_STARTED", "ACTIONS_RUNTIME_TOKEN"),
        *("ACTIONS_RUNTIME_URL", "ACTIONS_STEP_DEBUG"),
        *("ACTIONS_", "LISTEN", "PATH"),
    ],
)
def test_settings_and_variables_of_others_are_left_alone(variable: str) -> None:
    assert nearest_settings([variable], VARIABLES) == {}
