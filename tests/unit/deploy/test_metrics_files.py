"""The dashboard and the alerts name only metrics that docs/metrics.md has."""

import json
import re
from typing import Any, Final

import pytest
import yaml

from tests.support.documents import ROOT

_NAME: Final = re.compile(r"\b(?:actions|process)_[a-z_]+\b")
_ROW: Final = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", re.MULTILINE)
_SUFFIXES: Final = ("_bucket", "_sum", "_count")


def samples() -> set[str]:
    """The names of all samples, those of histograms included."""
    rows = _ROW.findall((ROOT / "docs/metrics.md").read_text("utf-8"))
    plain = {name for name, kind in rows if kind != "histogram"}
    return plain | {
        name + suffix for name, kind in rows if kind == "histogram" for suffix in _SUFFIXES
    }


def dashboard() -> list[str]:
    read = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text("utf-8"))
    return [target["expr"] for panel in read["panels"] for target in panel["targets"]]


def alerts() -> list[dict[str, Any]]:
    read = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text("utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expression", [*dashboard(), *(rule["expr"] for rule in alerts())])
def test_each_metric_of_an_expression_exists(expression: str) -> None:
    named = set(_NAME.findall(expression))
    assert named
    assert named <= samples()


def test_alerts_have_the_fields_of_rules_and_names_of_their_own() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names)) == 8
    for rule in alerts():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
