// An integration's own page: how it stands, what was imported, its runs while they go on, webhooks, mappings and the audit
// trail, on a phone and on a desk, for an administrator and for a viewer, and when the third party or the server says no.
import { randomUUID } from "node:crypto";
import { answerTo, api, ask, assert, base, check, equal, keepsNoSecret, looker, place, quiet, scenario, send, serverAway, visit } from "./browser.mjs";

const { ADMIN_KEY, VIEWER_KEY, SIGN_IN_LINK, CLICKUP_TOKEN, CLICKUP_WORKSPACE } = process.env;

/** What a viewer may follow: what leads to what is shown. */
const looking = /^(Copy Address|Integrations|See the (runs|deliveries)|Tasks|Comments|Documents|Collections|Projects|People|Workspaces)$/;
const tabs = ["overview", "objects", "runs", "webhooks", "mappings", "audit"];

const look = looker("page", { within: "[role=dialog], [role=tab][aria-selected=true]" });

await scenario(async (browser) => {
  const visitor = await visit(browser, { reducedMotion: "reduce" });
  const { page, context } = visitor;
  const project = (await api(`{ projects(orgId: "local") { nodes { id } } }`)).projects.nodes[0].id;
  const settings = { api_token: CLICKUP_TOKEN, workspace_id: CLICKUP_WORKSPACE };
  const made = await api(
    `mutation ($project: UUID!, $settings: Map!) { createIntegration(input: { orgId: "local", projectId: $project, name: "clickup", settings: $settings }) { id } }`,
    { project, settings },
  );
  const id = made.createIntegration.id;
  const path = (tab, query = "") => `/integrations/${id}/${tab}${query}`;
  const at = (tab, query) => base + path(tab, query);
  const tab = (name) => page.getByRole("tab", { name, exact: true });
  const row = (table, text) => page.getByRole("table", { name: table }).getByRole("row").filter({ hasText: text });

  /** Waits while a run is at work, as one that catches up with the webhook. */
  const idle = async () => {
    const running = async () => (await api(`query ($id: UUID!) { integrationById(id: $id) { syncState { currentRun { id } } } }`, { id })).integrationById.syncState.currentRun;
    while (await running()) await page.waitForTimeout(100);
  };

  await check("what does not exist is said not to", async () => {
    await page.goto(SIGN_IN_LINK);
    await page.getByRole("heading", { name: "Integrations" }).waitFor();
    for (const nowhere of [randomUUID(), "nonsense"]) {
      await page.goto(`${base}/integrations/${nowhere}`);
      await page.getByRole("heading", { name: "There is no such integration" }).waitFor();
    }
    await look.once(page, "missing");
    await page.goto(at("nonsense"));
    await page.getByRole("heading", { name: "There is no such tab" }).waitFor();
  });

  await check("before the first sync every tab says what would be there", async () => {
    await page.goto(`${base}/integrations/${id}`);
    await page.getByRole("heading", { name: "ClickUp", level: 1 }).waitFor();
    await page.getByRole("link", { name: "Import: ClickUp" }).waitFor();
    await page.getByText("By hand only").waitFor();
    await page.getByText(CLICKUP_WORKSPACE, { exact: true }).waitFor();
    await api(`mutation ($project: UUID!) { updateIntegration(orgId: "local", projectId: $project, name: "clickup", input: { logoUrl: "https://logos.example/clickup.svg" }) { id } }`, { project });
    await page.getByText("https://logos.example/clickup.svg").waitFor(); // and not asked for, as the end of this tells
    await tab("Overview").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Nothing was imported yet" }).waitFor();
    equal(place(page), path("objects"), "the address");
    await tab("Runs").click();
    await page.getByRole("heading", { name: "Nothing was synchronised yet" }).waitFor();
    await tab("Webhooks").click();
    await page.getByRole("heading", { name: "Nothing was delivered yet" }).waitFor();
    await tab("Mappings").click();
    await page.getByRole("heading", { name: "Nothing is mapped" }).waitFor();
    await look.once(page, "empty");
  });

  await check("a test of the connection names the account", async () => {
    await tab("Overview").click();
    await page.getByRole("button", { name: "Test connection" }).click();
    await page.getByText(/\(\d+ ms\)$/).waitFor();
  });

  await check("a run shows while it goes on, and how it ended", async () => {
    await tab("Runs").click();
    await ask("clickup garbles the comments of a task");
    await api(`mutation ($id: UUID!) { startSync(integrationId: $id, input: { includeCompleted: true, includeArchived: true }) { id } }`, { id });
    await row("Runs", /Running/).waitFor();
    await page.getByRole("button", { name: "Cancel: ClickUp" }).waitFor();
    await row("Runs", /Done, but for some items/).waitFor();
    await page.getByRole("link", { name: "See what failed: ClickUp" }).waitFor();
  });

  await check("a run tells what it did to each type, and what could not be imported", async () => {
    const opener = row("Runs", /Done, but for some items/).getByRole("link");
    await opener.click();
    const drawer = page.getByRole("dialog", { name: "Everything, started by hand" });
    await drawer.getByRole("heading", { name: "Could not be imported" }).waitFor();
    equal(await drawer.getByRole("row", { name: /^Comments/ }).count(), 1, "rows of comments");
    assert(new URL(page.url()).searchParams.has("run"), "the address does not have the run");
    await look.once(page, "run");
    await page.reload();
    await drawer.getByRole("heading", { name: "By type" }).waitFor();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    await opener.click();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    await page.waitForFunction(() => document.activeElement?.closest("tbody"));
  });

  await check("the overview counts, and says what needs attention", async () => {
    await tab("Overview").click();
    await page.getByRole("region", { name: "Needs attention" }).getByText(/could not be imported/).first().waitFor();
    await page.getByRole("link", { name: "Tasks" }).click();
    await page.getByRole("table", { name: "Objects" }).waitFor();
    equal(place(page), path("objects", "?type=TASK"), "the address");
  });

  await check("objects are searched, narrowed and read page by page", async () => {
    const rows = () => page.getByRole("table", { name: "Objects" }).getByRole("row").count();
    await page.getByLabel("Type").selectOption("All types");
    await page.getByRole("button", { name: "Load more" }).waitFor();
    equal(await rows(), 51, "the number of rows");
    await page.getByRole("button", { name: "Load more" }).click();
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length > 50);
    const { nodes } = (await api(`query ($id: UUID!) { syncedObjects(integrationId: $id, filter: { type: TASK }, first: 200) { nodes { externalId title content relationships { type } } } }`, { id })).syncedObjects;
    const task = nodes.toSorted((a, b) => b.relationships.length - a.relationships.length)[0];
    await page.getByRole("textbox", { name: "Search" }).fill(`"${task.title}"`);
    await row("Objects", task.title).first().waitFor();
    await page.waitForURL(/search=/);
    await page.reload();
    await row("Objects", task.title).first().waitFor();
    await page.getByRole("textbox", { name: "Search" }).fill("nothinghasthisword");
    await page.getByRole("heading", { name: "No object fits that" }).waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    await page.getByRole("table", { name: "Objects" }).waitFor();
    equal(await page.getByRole("textbox", { name: "Search" }).inputValue(), "", "what is searched for");
  });

  const task = await check("an object's relationships lead on in the same drawer, and back", async () => {
    const { nodes } = (await api(`query ($id: UUID!) { syncedObjects(integrationId: $id, filter: { type: TASK }, first: 200) { nodes { externalId title content relationships { type target { title } } } } }`, { id })).syncedObjects;
    const chosen = nodes.toSorted((a, b) => (b.content ?? "").length + 100 * b.relationships.length - (a.content ?? "").length - 100 * a.relationships.length)[0];
    const list = chosen.relationships.find(({ type }) => type === "BELONGS_TO").target.title;
    await page.goto(at("objects", `?object=${chosen.externalId}`));
    const drawer = page.getByRole("dialog", { name: chosen.title });
    await drawer.getByRole("heading", { name: "Properties" }).waitFor();
    await drawer.getByRole("link", { name: list, exact: true }).click();
    await page.getByRole("dialog", { name: list }).waitFor();
    await page.goBack();
    await drawer.waitFor();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    equal(place(page), path("objects"), "the address");
    await page.goto(at("objects", "?object=nowhere"));
    await page.getByRole("heading", { name: "There is no such object" }).waitFor();
    return chosen.externalId;
  });

  await check("a webhook's deliveries come in, and are replayed", async () => {
    await api(`mutation ($id: UUID!) { registerWebhook(integrationId: $id) { id } }`, { id });
    await page.goto(at("webhooks"));
    await page.getByText("Registered").waitFor();
    const health = page.getByRole("region", { name: "Webhook" });
    await health.getByText("Nothing has come yet.").waitFor();
    await ask("clickup tells of changes");
    await row("Deliveries", "Processed").first().waitFor();
    await health.getByText(/^Last delivery/).waitFor();
    await page.getByLabel("Status").selectOption("Failed");
    await page.getByRole("heading", { name: "No delivery is in this state" }).waitFor();
    equal(place(page), path("webhooks", "?status=FAILED"), "the address");
    await page.getByRole("button", { name: "Show all" }).click();
    const [answered] = await Promise.all([answerTo(page, "Replay"), page.getByRole("button", { name: /^Replay/ }).first().click()]);
    equal((await answered.json()).errors, undefined, "errors");
    await page.waitForFunction(() => [...document.querySelectorAll("tbody td")].some((cell) => cell.textContent === "2×" || cell.textContent === "Waiting"));
    const replays = async () => (await api(`query ($project: UUID!) { auditEvents(orgId: "local", projectId: $project, filter: { action: "webhook_delivery.replay" }) { totalCount } }`, { project })).auditEvents.totalCount;
    equal(await replays(), 1, "the number of replays");
  });

  await check("mappings are edited as a whole, and faults stand at their fields", async () => {
    await tab("Mappings").click();
    await page.getByRole("button", { name: "Add a mapping" }).click();
    const first = page.getByRole("group", { name: "Mapping 1" });
    await page.getByRole("button", { name: "Save" }).click();
    await first.getByText(/must be an id of/).waitFor();
    await first.getByText("This must not be empty.").waitFor();
    await look.once(page, "faults");
    await first.getByLabel("What").selectOption("Space");
    await first.getByRole("combobox", { name: "Space" }).click();
    await first.getByRole("listbox", { name: "Space" }).getByRole("option").first().click();
    await first.getByRole("combobox", { name: "Goes below" }).fill("somewhere-else");
    await first.getByRole("option", { name: "Id somewhere-else" }).click();
    await page.getByRole("link", { name: "Integrations" }).click();
    await page.getByRole("link", { name: "ClickUp", exact: true }).click();
    await page.getByRole("tab", { name: "Mappings (not saved)" }).click();
    await first.waitFor();
    await page.getByRole("button", { name: "Add a mapping" }).click();
    const second = page.getByRole("group", { name: "Mapping 2" });
    await second.getByLabel("What").selectOption("Custom field");
    await second.getByLabel("Field's id there").fill("f1");
    await second.getByLabel("Property name here").fill("effort");
    await page.getByRole("button", { name: "Save" }).click();
    await tab("Mappings").waitFor();
    const { syncState } = (await api(`query ($id: UUID!) { integrationById(id: $id) { syncState { mappings { kind target } } } }`, { id })).integrationById;
    equal(syncState.mappings.map(({ kind, target }) => `${kind} ${target}`).sort(), ["CUSTOM_FIELD effort", "SPACE somewhere-else"], "the mappings");
    await page.getByRole("button", { name: "Remove mapping 2" }).click();
    await page.getByRole("button", { name: "Discard changes" }).click();
    await second.waitFor();
  });

  await check("what changes meanwhile takes neither the focus nor what is typed in a mapping", async () => {
    const field = page.getByRole("combobox", { name: "Goes below" });
    await field.fill("some");
    for (const name of ["Studio", "ClickUp"]) {
      await api(`mutation ($project: UUID!, $name: String!) { updateIntegration(orgId: "local", projectId: $project, name: "clickup", input: { displayName: $name }) { id } }`, { project, name });
      await page.getByRole("heading", { name, level: 1 }).waitFor();
    }
    equal([await field.inputValue(), await field.evaluate((each) => each === document.activeElement)], ["some", true], "what is typed, and whether it has the focus");
    await page.keyboard.press("Escape");
  });

  await check("the audit trail is narrowed by what was done and by whom", async () => {
    await tab("Audit").click();
    const entry = (what) => page.getByRole("article", { name: new RegExp(`: ${what}$`) });
    await entry("Changed mappings").waitFor();
    await page.getByRole("combobox", { name: "Action" }).click();
    equal(await page.getByRole("option", { name: "Signed in" }).count(), 0, "actions that no integration has");
    await page.getByRole("option", { name: "Registered a webhook" }).click();
    await entry("Changed mappings").waitFor({ state: "detached" });
    equal(await entry("Registered a webhook").count(), 1, "the number of entries");
    await page.getByRole("combobox", { name: "Who" }).fill("nobody");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "No entry fits that" }).waitFor();
    equal(place(page), path("audit", "?action=webhook.register&actor=nobody"), "the address");
    await page.getByRole("button", { name: "Show all" }).click();
    await entry("Connected an integration").waitFor();
  });

  await check("what a webhook changes shows in the list of objects, and in the one that is open", async () => {
    await idle(); // the end of a run shows everything anew
    await page.goto(at("objects", "?search=renamed"));
    await page.getByRole("heading", { name: "No object fits that" }).waitFor();
    for (const title of ["Renamed (1)", "Renamed (2)"]) {
      await ask("clickup renames a task");
      await row("Objects", title).waitFor();
    }
    await row("Objects", "Renamed (2)").getByRole("link").first().click();
    await page.getByRole("dialog", { name: "Renamed (2)" }).getByText("This was renamed (2)").waitFor();
    await ask("clickup renames a task");
    await page.getByRole("dialog", { name: "Renamed (3)" }).getByText("This was renamed (3)").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  for (const name of tabs) {
    await page.getByRole("tab", { name, exact: false }).click();
    await page.getByRole("tabpanel").waitFor();
    await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
    await look.all(page, name);
  }
  await page.evaluate((to) => history.pushState(null, "", to), at("objects", `?object=${encodeURIComponent(task)}`));
  await page.getByRole("heading", { name: "Properties" }).waitFor();
  await look.all(page, "object");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  await check("what a viewer may not do is not offered", async () => {
    const viewer = await visit(browser);
    await viewer.page.goto(at("mappings"));
    await viewer.page.getByLabel("API key").fill(VIEWER_KEY);
    await viewer.page.keyboard.press("Enter");
    await viewer.page.getByRole("table", { name: "Mappings" }).waitFor();
    equal(await viewer.page.getByRole("tab").allInnerTexts(), ["Overview", "Objects", "Runs", "Webhooks", "Mappings"], "the tabs");
    for (const name of ["Mappings", "Webhooks", "Overview"]) {
      await viewer.page.getByRole("tab", { name }).click();
      await viewer.page.getByRole("tabpanel", { name }).waitFor();
      const main = viewer.page.getByRole("main");
      const offered = await main.getByRole("button").or(main.getByRole("link")).evaluateAll((found) => found.map((each) => each.getAttribute("aria-label") ?? each.textContent));
      equal(offered.filter((label) => !looking.test(label)), [], `what is offered with ${name}`);
    }
    await viewer.page.evaluate((path) => {
      history.pushState(null, "", path);
    }, new URL(at("audit")).pathname);
    await viewer.page.getByText("The audit trail is for administrators.").waitFor();
    await look.once(viewer.page, "forbidden");
    quiet(viewer, /status of 401/);
    await viewer.context.close();
  });

  await check("a token that is refused is said, with what to do", async () => {
    await idle(); // or another run would keep this one from beginning
    await ask("clickup revokes the token");
    await page.getByRole("button", { name: "Sync now: ClickUp" }).click();
    await page.getByRole("link", { name: "Fix: ClickUp" }).waitFor().catch(async () => assert(false, await page.getByRole("main").innerText()));
    await tab("Overview").click();
    await page.getByRole("region", { name: "Needs attention" }).getByText(/^Last sync failed/).waitFor();
    await page.getByRole("button", { name: "Test connection" }).click();
    await page.getByRole("button", { name: "Test again" }).waitFor();
    await page.getByRole("status").getByText(/refused/).first().waitFor();
    await look.once(page, "refused");
    await page.getByRole("link", { name: "Integrations" }).click();
    await page.getByText(/^Tried .+ · .+ objects/).waitFor();
    await look.once(page, "card-refused");
    await page.goBack();
  });
  await check("the menu disables, and enables again", async () => {
    for (const [entry, then] of [["Disable", "Enable"], ["Enable", "Disable"]]) {
      await page.getByRole("button", { name: "More for ClickUp" }).click();
      await page.getByRole("menuitem", { name: entry, exact: true }).click();
      await page.getByRole("button", { name: "More for ClickUp" }).click();
      await page.getByRole("menuitem", { name: then, exact: true }).press("Escape");
      await page.getByRole("menu").waitFor({ state: "detached" });
    }
  });

  await check("the browser stores no secret", () => keepsNoSecret(page, [ADMIN_KEY, CLICKUP_TOKEN]));
  await check("the developer tools show nothing", () => quiet(visitor));

  await ask("stop");
  await check("without the server, what is known stays and the page says so", async () => {
    await page.getByText("The server cannot be reached. What you see may be out of date").waitFor();
    await page.getByRole("heading", { name: "ClickUp", level: 1 }).waitFor();
    await tab("Webhooks").click();
    await row("Deliveries", "Processed").first().waitFor();
  });
  await ask("start");
  await check("it recovers, and deleting leads to the gallery", async () => {
    await page.getByText("The server cannot be reached.").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "More for ClickUp" }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await page.getByRole("dialog", { name: "Delete ClickUp?" }).getByRole("textbox").fill("clickup");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Integrations" }).waitFor();
    equal(new URL(page.url()).pathname, "/", "the path");
    await page.goto(at("overview"));
    await page.getByRole("heading", { name: "There is no such integration" }).waitFor();
  });
  await check("the developer tools show the refused connections alone", () => quiet(visitor, serverAway));
});
