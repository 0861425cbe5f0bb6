#!/usr/bin/env python3
"""The dashboard and the alarms name metrics, labels and their values that a live node has."""

import json
import re
import tempfile
import unittest
import urllib.request

from support import MUSTER, MUSTERD, ROOT

import lab.node
from lab.processes import free_port, until

DEPLOY = ROOT / "scripts/deploy"
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
ALERTS = (DEPLOY / "prometheus-alerts.yaml").read_text(encoding="utf-8")
GUIDE = (ROOT / "node/OPERATING.md").read_text(encoding="utf-8")

# Words of PromQL, and labels that Prometheus adds.
FUNCTIONS = {"by", "histogram_quantile", "increase", "label_values", "max", "min", "rate", "sum"}
ADDED = {"instance", "job"}


def expressions():
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    of_panels = [target["expr"] for panel in panels for target in panel["targets"]]
    variables = [variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable]
    return of_panels, variables, re.findall(r"^ *expr: (.*)$", ALERTS, re.MULTILINE)


class Exported(unittest.TestCase):
    """A node with a worker that was told something."""

    @classmethod
    def setUpClass(cls):
        http = f"127.0.0.1:{free_port()}"
        with tempfile.TemporaryDirectory() as folder:
            all_of = lab.node.Lab(MUSTERD, MUSTER, folder)
            node = lab.node.Node(all_of, "a", options=["--http", http])
            try:
                node.start()
                assert until(node.has_listened, 30)
                node.muster("join", "orders", "open").wait_for(lambda line: line["event"] == "joined")
                node.muster("notify", "created", "orders", "open", "7", "--wait").wait_for(lambda line: True)
                assert until(lambda: "muster_delivery_seconds_count 1\n" in metrics(http), 30)
                cls.text = metrics(http)
            finally:
                node.log.close()
                all_of.children.kill_all()
        cls.labels = {}  # {metric: {label: its values}}
        cls.values = {}
        for name, labels, value in re.findall(r"^([a-z_]+)(\{.*\})? (\S+)$", cls.text, re.MULTILINE):
            cls.values[name + labels] = float(value)
            of_metric = cls.labels.setdefault(name, {})
            for label, text in re.findall(r'([a-z_]+)="([^"]*)"', labels):
                of_metric.setdefault(label, set()).add(text)

    def test_tells_what_happened(self):
        for name in ("muster_groups", "muster_members", "muster_workers", "muster_notify_report_seconds_count",
                     "muster_notifications_matched_total", 'muster_nodes{state="alive"}', "muster_ready"):
            self.assertGreaterEqual(self.values[name], 1, name)

    def test_answers_as_prometheus_wants(self):
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.text, re.MULTILINE))
        helps = set(re.findall(r"^# HELP (\S+) \S", self.text, re.MULTILINE))
        self.assertEqual(set(kinds), helps)
        for name in self.labels:
            family = re.sub("_(bucket|sum|count)$", "", name)
            kind = kinds.get(name) or kinds[family]
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
        most = max(len(values) for labels in self.labels.values() for values in labels.values())
        self.assertLess(most, 30)  # labels are bounded

    def test_dashboard_and_alarms_name_what_there_is(self):
        named = set()
        for group in expressions():
            self.assertTrue(group)
            for expression in group:
                named |= self.check(expression)
        self.assertGreater(len(named), 40)

    def check(self, expression):
        """The metrics in an expression, all of which must be there with the labels that it picks or sorts by."""
        bare = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
        bare = re.sub(r"\[[^]]*\]|\$\w+", "", bare)
        found = set(re.findall(r"\b[a-z_]+\b", re.sub(r"\{[^}]*\}|by \([^)]*\)|\bup\b", "", bare))) - FUNCTIONS - ADDED
        labels = {"le": {"any"}}
        for name in found:
            self.assertIn(name, self.labels, expression)
            for label, values in self.labels[name].items():
                labels.setdefault(label, set()).update(values)
        for by in re.findall(r"by \(([^)]*)\)", expression):
            for label in re.split(", *", by):
                self.assertTrue(label in labels or label in ADDED, expression)
        for label, operator, value in re.findall(r'([a-z]+)(=~|!=|=)"([^"]*)"', expression):
            if label not in ADDED:
                self.assertTrue(set(value.split("|")) <= labels[label], expression)
        return found


class Dashboard(unittest.TestCase):
    def test_can_be_imported(self):
        ids = [panel["id"] for panel in DASHBOARD["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        taken = set()
        for panel in DASHBOARD["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24)
            taken |= cells
        for panel in DASHBOARD["panels"]:
            for target in panel.get("targets", []):
                self.assertEqual(target["datasource"]["uid"], "${datasource}")  # nobody else's


class Alerts(unittest.TestCase):
    def test_each_says_what_to_do(self):
        rules = re.split(r"^      - alert: ", ALERTS, flags=re.MULTILINE)[1:]
        self.assertGreater(len(rules), 8)
        headings = re.findall(r"^#+ (.*)$", GUIDE, re.MULTILINE)
        anchors = {heading.lower().replace(" ", "-") for heading in headings}
        for rule in rules:
            for key in ("expr", "labels", "annotations", "summary"):
                self.assertEqual(len(re.findall(rf"^ +{key}: *\S*", rule, re.MULTILINE)), 1, rule)
            anchor = re.search(r"runbook: OPERATING.md#(\S+)$", rule, re.MULTILINE)
            self.assertIn(anchor.group(1), anchors)


def metrics(http):
    with urllib.request.urlopen(f"http://{http}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode("utf-8")


if __name__ == "__main__":
    unittest.main()
