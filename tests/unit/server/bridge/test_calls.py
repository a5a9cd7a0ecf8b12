"""Calls of targets, whatever their kind."""

from server.bridge.calls import Leftover, failure_of
from server.scripts.contract import GrantEffect, MetadataEffect


def test_a_failed_run_is_an_error_that_zitadel_forwards() -> None:
    assert failure_of("deny", "no at deny (<eval>:1:2)") == {
        "forwardedStatusCode": 412,
        "forwardedErrorMessage": "action 'deny' failed: no at deny (<eval>:1:2)",
    }


def test_what_is_left_has_names() -> None:
    assert Leftover().names == ()
    left = Leftover(True, (MetadataEffect("k", b"1"),), (GrantEffect("1", "", ()),))
    assert left.names == ("fields", "metadata", "grants")
