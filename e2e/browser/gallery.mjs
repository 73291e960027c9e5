// The gallery: cards that stay true by themselves, on a phone and on a desk, by day and by night, for an administrator and
// for a viewer, and when the session or the server goes.
import { api, ask, assert, base, check, equal, keepsNoSecret, looker, place, quiet, scenario, send, serverAway, visit } from "./browser.mjs";

const { ADMIN_KEY, VIEWER_KEY, SIGN_IN_LINK, CLICKUP_TOKEN, CLICKUP_WORKSPACE } = process.env;

const card = (page, name) => page.getByRole("article", { name, exact: true });
const cards = (page) => page.getByRole("article").evaluateAll((found) => found.map((each) => each.getAttribute("aria-label")));

const look = looker("gallery");

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page, context } = visitor;
  const project = (await api(`{ projects(orgId: "local") { nodes { id } } }`)).projects.nodes[0].id;
  let integration;

  await check("the link leads to the gallery", async () => {
    await page.goto(SIGN_IN_LINK);
    await page.getByRole("heading", { name: "Integrations" }).waitFor();
    await card(page, "Linear").waitFor();
    equal(page.url(), `${base}/?project=${project}`, "the address");
    equal(await cards(page), ["ClickUp", "GitHub", "Jira", "Linear"], "the cards");
    await card(page, "ClickUp").getByText("Not connected").waitFor();
  });

  await check("a search and filters narrow it", async () => {
    await page.keyboard.press("/");
    await page.keyboard.insertText("issues site");
    equal(await cards(page), ["Jira"], "the cards");
    equal(place(page), "/?search=issues+site", "the address");
    await page.keyboard.press("Escape");
    await page.getByText("Needs attention").click();
    await page.getByRole("heading", { name: "Nothing needs attention" }).waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    equal((await cards(page)).length, 4, "the number of cards");
  });

  await check("what somebody else connects and imports shows by itself", async () => {
    const settings = { api_token: CLICKUP_TOKEN, workspace_id: CLICKUP_WORKSPACE };
    const made = await api(
      `mutation ($project: UUID!, $settings: Map!) { createIntegration(input: { orgId: "local", projectId: $project, name: "clickup", settings: $settings }) { id } }`,
      { project, settings },
    );
    integration = made.createIntegration.id;
    await ask("clickup holds tasks back"); // so that there is time to see it
    await api(`mutation ($id: UUID!) { startSync(integrationId: $id) { id } }`, { id: integration });
    await card(page, "ClickUp").getByText(/^Syncing|^Waiting to start/).waitFor();
    await ask("clickup recovers");
    await card(page, "ClickUp").getByText(/^Connected as /).waitFor().catch(async () => assert(false, await card(page, "ClickUp").innerText()));
    await card(page, "ClickUp").getByText(/Synced just now · [\d.,]+ objects/).waitFor();
  });

  await check("one click synchronises again", async () => {
    await ask("clickup holds tasks back");
    await page.getByRole("button", { name: "Sync now: ClickUp" }).click();
    await page.getByRole("button", { name: "Cancel: ClickUp" }).waitFor();
    await ask("clickup recovers");
    await page.getByRole("button", { name: "Sync now: ClickUp" }).waitFor();
  });

  await check("the switch disables and enables", async () => {
    const enabled = async () => (await api(`query ($id: UUID!) { integrationById(id: $id) { enabled } }`, { id: integration })).integrationById.enabled;
    const toggle = page.getByRole("switch", { name: "ClickUp is enabled" });
    await toggle.press("Space"); // its track lies over it
    await card(page, "ClickUp").getByText("Disabled").waitFor();
    equal(await enabled(), false, "enabled");
    await page.getByRole("button", { name: "Enable: ClickUp" }).click();
    await card(page, "ClickUp").getByText(/^Connected as /).waitFor();
    equal([await enabled(), await toggle.isChecked()], [true, true], "enabled");
  });

  await check("two who look at it see each other's changes", async () => {
    const other = await visit(browser, { storageState: await context.storageState() });
    await other.page.goto(base);
    await card(other.page, "ClickUp").getByText(/^Connected as /).waitFor();
    await page.getByRole("switch", { name: "ClickUp is enabled" }).press("Space");
    await card(other.page, "ClickUp").getByText("Disabled").waitFor();
    await other.page.getByRole("button", { name: "Enable: ClickUp" }).click();
    await card(page, "ClickUp").getByText(/^Connected as /).waitFor();
    await api(`mutation ($project: UUID!) { updateIntegration(orgId: "local", projectId: $project, name: "clickup", input: { displayName: "Studio" }) { id } }`, { project });
    for (const { page: each } of [visitor, other]) await card(each, "Studio").waitFor();
    // One has it open while the other deletes one, or makes another.
    const { createIntegration: made } = await api(`mutation ($project: UUID!) { createIntegration(input: { orgId: "local", projectId: $project, name: "second", provider: "clickup", displayName: "Second" }) { id } }`, { project });
    for (const { page: each } of [visitor, other]) await card(each, "Second").waitFor();
    await other.page.goto(`${base}/integrations/${made.id}`);
    await other.page.getByRole("heading", { name: "Second", level: 1 }).waitFor();
    await api(`mutation ($project: UUID!) { deleteIntegration(orgId: "local", projectId: $project, name: "second") }`, { project });
    await card(page, "Second").waitFor({ state: "detached" });
    await other.page.getByRole("heading", { name: "There is no such integration" }).waitFor();
    await api(`mutation ($project: UUID!) { updateIntegration(orgId: "local", projectId: $project, name: "clickup", input: { displayName: "ClickUp" }) { id } }`, { project });
    await card(page, "ClickUp").waitFor();
    quiet(other);
    await other.context.close();
  });

  await check("a dialog has an address, and gives the focus back", async () => {
    const opener = page.getByRole("link", { name: "Connect GitHub" });
    await opener.click();
    await page.getByRole("dialog").waitFor();
    equal(place(page), "/?connect=github", "the address");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    equal(place(page), "/", "the address");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Connect GitHub");
  });

  await look.all(page, "cards");
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("menuitem", { name: "Administration" }).waitFor();
  await look.all(page, "account");
  await page.keyboard.press("Escape");

  const viewer = await visit(browser);
  await check("a key leads to the page that was asked for", async () => {
    await viewer.page.goto(`${base}/?project=${project}`);
    await viewer.page.getByLabel("API key").fill(`pb_${"a".repeat(52)}`);
    await viewer.page.getByRole("button", { name: "Sign in with the key" }).click();
    await viewer.page.getByText("This key is mistyped, revoked or expired.").waitFor();
    await look.once(viewer.page, "refused");
    await viewer.page.getByLabel("API key").fill(VIEWER_KEY);
    await viewer.page.keyboard.press("Enter");
    await card(viewer.page, "Linear").waitFor();
    equal(viewer.page.url(), `${base}/?project=${project}`, "the address");
  });
  await check("what a viewer may not do is not offered", async () => {
    await card(viewer.page, "ClickUp").getByText(/^Connected as /).waitFor();
    const main = viewer.page.getByRole("main");
    equal(await main.getByRole("link").or(main.getByRole("button")).or(main.getByRole("switch")).allInnerTexts(), ["ClickUp"], "what is offered: the page of what is connected");
    await viewer.page.getByRole("button", { name: /^Account/ }).click();
    await viewer.page.getByRole("menuitem", { name: "GraphiQL" }).waitFor();
    equal(await viewer.page.getByRole("menuitem", { name: "Administration" }).count(), 0, "entries for administrators");
    await viewer.page.keyboard.press("Escape");
  });

  await check("to delete one types its name", async () => {
    await page.getByRole("button", { name: "More for ClickUp" }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete ClickUp?" });
    await dialog.getByRole("textbox").press("Escape");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "More for ClickUp");
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await dialog.getByRole("textbox").fill("jira");
    assert(await dialog.getByRole("button", { name: "Delete" }).isDisabled(), "another name does");
    await look.once(page, "delete");
    await dialog.getByRole("textbox").fill("clickup");
    await page.keyboard.press("Enter");
    await card(page, "ClickUp").getByText("Not connected").waitFor();
    await dialog.waitFor({ state: "detached" });
  });

  await check("the browser stores no secret", async () => keepsNoSecret(page, [ADMIN_KEY, CLICKUP_TOKEN, ...(await context.cookies()).map(({ value }) => value)]));
  await check("the developer tools show nothing", () => quiet(visitor));

  await check("a session that ends asks for another, over the same page", async () => {
    const keys = (await api(`{ apiKeys(orgId: "local") { id prefix } }`)).apiKeys;
    const { id } = keys.find(({ prefix }) => VIEWER_KEY.startsWith(prefix));
    await api(`mutation ($id: UUID!) { revokeApiKey(id: $id) { id } }`, { id });
    const dialog = viewer.page.getByRole("dialog", { name: "Your session has ended" });
    await dialog.waitFor();
    await dialog.getByLabel("API key").fill(ADMIN_KEY);
    await viewer.page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await viewer.page.getByRole("link", { name: "Connect GitHub" }).waitFor();
    equal(viewer.page.url(), `${base}/?project=${project}`, "the address");
  });
  await check("the developer tools show the refusals alone", () => quiet(viewer, /status of 401/));

  await ask("stop");
  await check("without the server, the page says so", () => page.getByText("The server cannot be reached. What you see may be out of date").waitFor());
  await check("what was never looked at opens", async () => {
    await page.getByRole("button", { name: /^Account/ }).click();
    await page.getByRole("menuitem", { name: "Administration" }).click();
    await page.getByRole("heading", { name: "API keys" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "Integrations" }).waitFor();
  });
  await ask("start");
  await check("it recovers by itself", async () => {
    await page.getByText("The server cannot be reached.").waitFor({ state: "detached" });
    await page.getByText("Live updates are interrupted.").waitFor({ state: "detached" });
    equal((await cards(page)).length, 4, "the number of cards");
    await api(`mutation ($project: UUID!) { createIntegration(input: { orgId: "local", projectId: $project, name: "linear", provider: "linear", displayName: "Told again" }) { id } }`, { project });
    await card(page, "Told again").waitFor();
  });
  await check("the developer tools show the refused connections alone", () => quiet(visitor, serverAway));
});
