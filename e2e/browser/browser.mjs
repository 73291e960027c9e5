// What the scenarios share: a browser whose every complaint counts, and checks that Go reads line by line.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import axe from "axe-core";
import { chromium } from "playwright-core";

export const base = process.env.PATCHBAY_URL;
export const timeout = 60_000; // on a loaded machine; nothing takes nearly as long

/** The browser of the scenario that runs. */
let opened;

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Runs one check and prints how it went: it fails by throwing. */
export async function check(name, act) {
  try {
    const result = await act();
    print({ check: name, ok: true });
    return result;
  } catch (error) {
    print({ check: name, ok: false, detail: `${error instanceof Error ? error.message : error}\n${await shown()}` });
    throw new Failed();
  }
}

/** What the open pages show, for whoever finds out why a check failed. */
async function shown() {
  const pages = opened?.contexts().flatMap((context) => context.pages()) ?? [];
  const texts = pages.map(async (page) => `${page.url()} shows:\n${(await page.innerText("body", { timeout: 2000 }).catch(String)).slice(-3000)}`);
  return (await Promise.all(texts)).join("\n");
}

/** What check has reported already. */
class Failed extends Error {}

export function assert(condition, detail) {
  if (!condition) throw new Error(typeof detail === "string" ? detail : JSON.stringify(detail));
}

export function equal(got, want, what) {
  assert(JSON.stringify(got) === JSON.stringify(want), `${what} is ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

/** Has the test around this script do something, and returns its answer. */
export async function ask(name, value = null) {
  print({ ask: name, value });
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return JSON.parse(line);
  }
  throw new Error(`no answer to ${name}`);
}

/** Runs a scenario in a browser of its own. */
export async function scenario(act) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Nothing but the server can be reached.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
  opened = browser;
  try {
    await act(browser);
  } catch (error) {
    if (!(error instanceof Failed)) print({ check: "runs to its end", ok: false, detail: error.stack ?? String(error) });
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

/**
 * Opens a fresh profile with one page. Its complaints are what a person would find in the developer tools: warnings and
 * errors, refusals by the content security policy, exceptions and requests to elsewhere.
 */
export async function visit(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(timeout);
  const complaints = [];
  const requests = [];
  const heard = (message) => {
    if (["warning", "error", "assert"].includes(message.type())) {
      complaints.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
    }
  };
  context.on("console", heard);
  context.on("weberror", (error) => complaints.push(`exception: ${error.error().stack ?? error.error()}`));
  context.on("request", (request) => {
    const url = new URL(request.url());
    requests.push(url);
    if (url.protocol !== "data:" && url.origin !== base) complaints.push(`request to elsewhere: ${url.origin}`);
  });
  await context.exposeBinding("reportViolation", (_, text) => complaints.push(`content security policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const page = await context.newPage();
  page.on("worker", (worker) => worker.on("console", heard));
  return { context, page, complaints, requests };
}

/** Where in the gallery a page is: its address from the path on, without the project, which every address has. */
export function place(page) {
  const url = new URL(page.url());
  assert(url.searchParams.has("project"), `${url} has no project`);
  url.searchParams.delete("project");
  return `${url.pathname}${url.search}`;
}

/** Fails if the page complained of anything but what is expected. */
export function quiet({ complaints }, ...expected) {
  const rest = complaints.filter((complaint) => !expected.some((pattern) => pattern.test(complaint)));
  equal(rest, [], "what the developer tools show");
}

/** Waits until the bar on top says who one is, or why not. */
export async function status(page, pattern) {
  const bar = page.locator(".account").getByRole("status");
  await bar.filter({ hasText: pattern }).waitFor();
  return bar.innerText();
}

/** Opens GraphiQL by the printed link. */
export async function signIn(page) {
  await page.goto(process.env.SIGN_IN_LINK);
  await page.goto(`${base}/graphiql`);
  await status(page, /Signed in as/);
  await ready(page);
}

/** Waits until GraphiQL has its editors. */
export async function ready(page) {
  await page.locator(".graphiql-query-editor .view-lines").waitFor();
}

export async function openTab(page, name) {
  await page.locator(`.graphiql-tab-button[title="${name}"]`).click();
  await page.locator(".graphiql-query-editor").getByText(name).first().waitFor();
  await afterTyping(page);
}

/** Waits until GraphiQL has read the operation's name and variables, which it does a tenth of a second after they changed, by the page's clock. */
async function afterTyping(page) {
  await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
}

/** What the developer tools say of a server that ends and starts. */
export const serverAway = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket connection to/;

/** Waits for the server's answer to an operation of the page. */
export function answerTo(page, operation) {
  return page.waitForResponse(
    (response) => response.url() === `${base}/graphql` && response.request().postDataJSON()?.operationName === operation,
  );
}

/** Runs the open tab and returns what the server answered, once the page shows it. */
export async function run(page, name) {
  const answered = answerTo(page, name);
  await page.getByRole("button", { name: /^Execute query/ }).click();
  const answer = await (await answered).json();
  await page.locator(".graphiql-response .view-lines").getByText(answer.errors ? '"errors"' : '"data"').waitFor();
  return answer;
}

/** Sends an operation as an administrator's program would, and expects that it is done. */
export async function api(query, variables) {
  const { data, errors } = await send(query, variables, process.env.ADMIN_KEY);
  equal(errors, undefined, "errors");
  return data;
}

/** Sends an operation as a program would. */
export async function send(query, variables, key) {
  const response = await fetch(`${base}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

export async function paste(page, key) {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Use" }).click();
}

/** Pastes a good key, and waits until GraphiQL has started anew with the examples filled in for it. */
export async function signInWith(page, key, role) {
  const [text] = await Promise.all([status(page, role), answerTo(page, "FirstProject"), paste(page, key)]);
  await afterTyping(page);
  await ready(page);
  return text;
}

/** Waits for the bar's complaint about what was pasted. */
export async function complaint(page, text) {
  await page.locator(".account").getByRole("alert").getByText(text).waitFor();
}

export async function forget(page) {
  await page.getByRole("button", { name: "Forget" }).click();
}

/** Changes the open tab's variables, by way of the clipboard. */
export async function setVariables(page, change) {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.locator(".graphiql-editor-tool .graphiql-editor:visible .view-lines").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Control+C");
  const variables = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  change(variables);
  await page.evaluate((text) => navigator.clipboard.writeText(text), JSON.stringify(variables, null, 2));
  await page.keyboard.press("Control+V");
  await afterTyping(page);
}

/** Fails if the browser keeps one of these texts where it outlives the page, or where scripts can read it. */
export async function keepsNoSecret(page, secrets) {
  const kept = await page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
    cookie: document.cookie,
    address: location.href,
    name: window.name,
    state: history.state,
  }));
  equal([kept.databases, kept.caches, kept.cookie], [[], [], ""], "IndexedDB, caches and document.cookie");
  const text = JSON.stringify(kept);
  for (const secret of secrets) {
    assert(secret?.length > 10, "the secret to look for is missing");
    assert(!text.includes(secret), "a secret is stored");
  }
  assert(!/pb_[a-z2-7]{52}/.test(text), "an API key is stored");
}

/** DevTools sessions by page. */
const sessions = new WeakMap();

/** A picture of what is in sight. Playwright's own takes a multiple of the time, most of it to compress well. */
async function screenshot(page) {
  if (!sessions.has(page)) sessions.set(page, await page.context().newCDPSession(page));
  const { data } = await sessions.get(page).send("Page.captureScreenshot", { format: "png", optimizeForSpeed: true });
  return Buffer.from(data, "base64");
}

const pictures = join(import.meta.dirname, "../screenshots");
mkdirSync(pictures, { recursive: true });
const sizes = [[375, 812], [1440, 900]];

/**
 * What looks at a page in a state: takes a picture for people, and fails if something is cut off, or axe finds something.
 * of is what axe looks at; within has to be wholly in sight from left to right.
 */
export function looker(prefix, { of = "html", within = "[role=dialog]" } = {}) {
  async function picture(page, state, size, scheme) {
    await page.waitForFunction(() => document.getAnimations().every((each) => each.playState === "finished" || each.effect.getComputedTiming().endTime === Infinity));
    writeFileSync(join(pictures, `${prefix}-${size}-${scheme}-${state}.png`), await screenshot(page));
    const beyond = await page.evaluate((within) => {
      const wide = [document.documentElement, ...document.querySelectorAll("[role=dialog]")].filter((each) => each.scrollWidth > each.clientWidth);
      const out = [...document.querySelectorAll(within)].filter((each) => each.getBoundingClientRect().right > innerWidth + 1 || each.getBoundingClientRect().left < -1);
      return [...wide, ...out].map((each) => each.outerHTML.slice(0, 80));
    }, within);
    equal(beyond, [], `what is cut off, or scrolls sideways, at ${size} px`);
  }
  /** A state's colours are all that differs by day and by night. */
  async function accessible(page, what) {
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
    const { violations } = await page.evaluate(([of, rules]) => window.axe.run(of, { resultTypes: ["violations"], ...rules }), [of, what === "dark" ? { runOnly: ["color-contrast"] } : {}]);
    const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`).join(" ")}`);
    equal(found, [], `what axe found, ${what}`);
  }
  /** As it is on a desk by day. */
  async function once(page, state) {
    await picture(page, state, 1440, "light");
    await accessible(page, "light");
  }
  /** On a phone and on a desk, by day and by night. */
  function all(page, state) {
    return check(`${prefix}, ${state}: nothing is cut off, and axe finds nothing`, async () => {
      for (const scheme of ["dark", "light"]) {
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        await page.waitForFunction((scheme) => [undefined, scheme].includes(document.documentElement.dataset.mantineColorScheme), scheme);
        for (const [width, height] of sizes) {
          await page.setViewportSize({ width, height });
          await picture(page, state, width, scheme);
        }
        await accessible(page, scheme);
      }
    });
  }
  return { once, all };
}
