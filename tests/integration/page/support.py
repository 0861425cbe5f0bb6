"""Real nodes with a page, and a browser that looks at it."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "node/client/python")]

from lab.node import Lab, Node, start_together  # noqa: E402
from lab.processes import free_port, until  # noqa: E402

import muster  # noqa: E402

PATIENCE = 20.0  # seconds that anything may take on a loaded machine before a test calls it hung


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lab = Lab(os.environ["MUSTERD"], os.environ["MUSTER"], folder.name)
        self.addCleanup(self.lab.children.kill_all)
        self.nodes = []

    def start(self, *names, options=lambda name: ()):
        """Nodes that know each other, each with a page; returns them when all see all."""
        fresh = [Node(self.lab, name) for name in names]
        for node in fresh:
            self.addCleanup(node.log.close)
            node.http = f"127.0.0.1:{free_port()}"
            node.options = ("--http", node.http, *options(node.name))
        self.assertIsNone(start_together(fresh, PATIENCE), "it does not see all nodes")
        return fresh

    def until(self, predicate, what, patience=PATIENCE):
        self.assertTrue(until(predicate, patience, 0.05)[0], what)

    def connect(self, node, **options):
        worker = muster.Worker.connect([node.address], timeout=PATIENCE, **options)
        self.addCleanup(worker.close)
        return worker

    @staticmethod
    def ask(node, path, method="GET", **headers):
        """(status, headers, text) of one request; a header's _ is a -."""
        connection = http.client.HTTPConnection(node.http, timeout=PATIENCE)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def json(self, node, path, **parameters):
        status, _, text = self.ask(node, path + "?" + urllib.parse.urlencode(parameters))
        self.assertEqual(status, 200, text)
        return json.loads(text)


class Browser:
    """Chromium behind browser.mjs, which runs where Playwright was installed."""

    def __init__(self):
        folder = os.environ["PLAYWRIGHT"]
        command = ["node", os.path.join(folder, "browser.mjs"), os.environ["CHROMIUM"]]
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, action, **what):
        self.process.stdin.write(json.dumps({"do": action, **what}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the browser has ended: see its output above")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{action} {what}: {answer['error']}")
        return answer["value"]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Tab:
    """One page of one node, or of `stream`, which is then what its events say."""

    last = 0

    def __init__(self, browser, node, **how):
        Tab.last += 1
        self.browser, self.name = browser, f"tab{Tab.last}"
        self.answer = self("open", url=f"http://{node.http}/", **how)

    def __call__(self, action, **what):
        return self.browser.do(action, tab=self.name, **what)

    def wait(self, condition):
        """Until an expression is true in the page."""
        return self("wait", until=condition)

    def get(self, expression):
        return self("evaluate", what=expression)

    def text(self, selector):
        return self.get(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")

    def row(self, node):
        """An expression for the table's row of a node."""
        return f"[...document.querySelectorAll('#nodes tr')].find(r => r.querySelector('bdi').textContent === '{node}')"

    def wait_state(self, node, state):
        self.wait(f"{self.row(node)}?.dataset.state === '{state}'")

    def wait_text(self, selector, text):
        self.wait(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})")

    def shot(self, name):
        """Into the folder that PAGE_SHOTS names, for people."""
        folder = os.environ.get("PAGE_SHOTS")
        if folder:
            self("shot", path=os.path.join(folder, name + ".png"), whole=True)


class Pages(Case):
    """What every look at a page must leave behind: nothing in the console, no dialog, no request to elsewhere."""

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.forgiven = 0  # errors of a stream or a request that the test itself broke

    def look(self, node, **how):
        tab = Tab(self.browser, node, **how)
        self.addCleanup(tab, "close")
        tab.wait("document.querySelectorAll('#nodes tr').length > 0")
        return tab

    def tearDown(self):
        seen = self.browser.do("seen")
        self.assertEqual(seen["dialogs"], [])
        self.assertEqual(seen["outside"], [])
        broken = [text for text in seen["errors"] if "Failed to load resource" in text or "ERR_" in text]
        self.assertEqual([text for text in seen["errors"] if text not in broken], [])
        if not self.forgiven:
            self.assertEqual(broken, [])
        self.browser.do("forget")
