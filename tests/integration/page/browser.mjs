// A browser that a test drives: one line of JSON in, {do, ...}; one line out, {value} or {error}. At the end of the
// input everything is closed. The first argument is the browser's program.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const PATIENCE_MS = 20000;

const args = ["--disable-background-networking", "--no-first-run"];
if (process.getuid() === 0) args.push("--no-sandbox"); // which Chromium does not have for root
const browser = await chromium.launch({ executablePath: process.argv[2], args, timeout: 60000 });
const tabs = new Map();
const seen = { errors: [], dialogs: [], outside: [] };

const origin = (url) => new URL(url).origin;

function listen(tab, home) {
  tab.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  tab.on("pageerror", (error) => seen.errors.push(String(error)));
  tab.on("dialog", (dialog) => (seen.dialogs.push(dialog.message()), dialog.dismiss()));
  tab.on("request", (request) => origin(request.url()) === origin(home) || seen.outside.push(request.url()));
}

/** Not by Playwright's own means, which use eval: the page's policy forbids it. */
async function evaluate({ inspector }, expression) {
  const { result, exceptionDetails } = await inspector.send("Runtime.evaluate", { expression, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

async function wait(tab, expression) {
  const until = Date.now() + PATIENCE_MS;
  while (!(await evaluate(tab, expression))) {
    if (Date.now() > until) throw new Error("it did not come true");
    await new Promise((done) => setTimeout(done, 50));
  }
}

const actions = {
  async open({ tab, url, width = 1280, height = 900, scheme = "light", motion = "no-preference", stream = null }) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: motion });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    listen(page, url);
    // A cluster that is only told of: the stream's text instead of the node's own.
    if (stream !== null)
      await page.route("**/events", (route) => route.fulfill({ contentType: "text/event-stream", body: stream }));
    tabs.set(tab, { page, inspector: await context.newCDPSession(page) });
    const response = await page.goto(url);
    return { status: response.status(), headers: response.headers() };
  },
  close: ({ tab }) => tabs.get(tab).page.context().close(),
  click: ({ tab, at }) => tabs.get(tab).page.click(at),
  fill: ({ tab, at, text }) => tabs.get(tab).page.fill(at, text),
  press: ({ tab, key }) => tabs.get(tab).page.keyboard.press(key),
  select: ({ tab, at, value }) => tabs.get(tab).page.selectOption(at, value),
  wait: ({ tab, until }) => wait(tabs.get(tab), until),
  evaluate: ({ tab, what }) => evaluate(tabs.get(tab), what),
  shot: ({ tab, path, whole = false }) => tabs.get(tab).page.screenshot({ path, fullPage: whole, animations: "disabled" }).then(() => true),
  seen: () => seen,
  forget: () => Object.values(seen).forEach((list) => (list.length = 0)),
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const question = JSON.parse(line);
    answer = { value: (await actions[question.do](question)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
