"""Calls of targets, whatever their kind."""

from server.bridge.calls import failure_of


def test_a_failed_run_is_an_error_that_zitadel_forwards() -> None:
    assert failure_of("deny", "no at deny (<eval>:1:2)") == {
        "forwardedStatusCode": 412,
        "forwardedErrorMessage": "action 'deny' failed: no at deny (<eval>:1:2)",
    }
