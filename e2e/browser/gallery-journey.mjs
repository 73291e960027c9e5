// The way of somebody new, by clicks alone: from the link to an imported task. Then what may happen on the way: the server is started
// anew in the middle of an import, WebSockets are blocked, a part of the pages does not load, and there is another project.
import { api, ask, base, check, equal, looker, place, quiet, scenario, serverAway, visit } from "./browser.mjs";

const { SIGN_IN_LINK, CLICKUP_TOKEN } = process.env;
const look = looker("journey");

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page, context } = visitor;
  const dialog = page.getByRole("dialog");
  const button = (name) => dialog.getByRole("button", { name, exact: true });
  const away = page.getByText("The server cannot be reached. What you see");

  const project = (await api(`{ projects(orgId: "local") { nodes { id } } }`)).projects.nodes[0].id;
  const called = (displayName) => api(`mutation ($project: UUID!, $input: UpdateIntegrationInput!) { updateIntegration(orgId: "local", projectId: $project, name: "clickup", input: $input) { id } }`, { project, input: { displayName } });

  await page.goto(SIGN_IN_LINK);
  await check("a token is pasted, and a workspace chosen from the list", async () => {
    await page.getByRole("link", { name: "Connect ClickUp" }).click();
    await dialog.getByLabel("API token").click();
    await page.keyboard.insertText(CLICKUP_TOKEN);
    await button("Test connection").click();
    await dialog.getByText(/^Works: signed in as /).waitFor();
    const workspace = dialog.getByRole("combobox", { name: "Workspace" });
    await workspace.selectOption({ index: 0 });
    equal(await workspace.evaluate((each) => each.selectedOptions[0].textContent !== each.value), true, "whether it is listed by its name");
  });
  await check("it is saved, and all is imported", async () => {
    await button("Save and import").click();
    await dialog.getByRole("tree", { name: "What to import" }).waitFor();
    await button("Start import").click();
    await button("Cancel import").waitFor();
    await dialog.getByRole("status").getByText("Import finished").waitFor();
    await button("Close").last().click();
    await dialog.waitFor({ state: "detached" });
  });
  await check("an imported task is read", async () => {
    await page.getByRole("link", { name: "ClickUp", exact: true }).click();
    await page.getByRole("tab", { name: "Objects" }).click();
    await page.getByLabel("Type").selectOption("Tasks");
    const table = page.getByRole("table", { name: "Objects" });
    await table.getByRole("cell", { name: "Task", exact: true }).first().waitFor();
    await table.getByRole("link").first().click();
    await dialog.getByRole("heading", { name: "Properties" }).waitFor();
    await dialog.getByRole("heading", { name: "Relationships" }).waitFor();
    // What people said of it, and what somebody answered.
    await dialog.getByRole("heading", { name: "Comments" }).waitFor();
    await look.once(page, "object");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });
  await check("the developer tools show nothing", () => quiet(visitor));

  await ask("clickup holds tasks back");
  await check("an import is under way", async () => {
    await page.getByRole("link", { name: "Integrations" }).click();
    await page.getByRole("button", { name: "More for ClickUp" }).click();
    await page.getByRole("menuitem", { name: "Choose what to import" }).click();
    await button("Start import").click();
    await dialog.getByText(/^Syncing/).first().waitFor();
  });
  await ask("stop");
  await check("without the server, how far it was stays", async () => {
    await away.waitFor();
    await dialog.getByText(/^Syncing/).first().waitFor();
  });
  await ask("start");
  await check("it goes on with the server, and ends", async () => {
    await away.waitFor({ state: "detached" });
    await button("Cancel import").waitFor();
    await ask("clickup recovers");
    await dialog.getByRole("status").getByText("Import finished").waitFor();
    await button("Close").last().click();
    await dialog.waitFor({ state: "detached" });
  });

  await check("where WebSockets are blocked it says so, and changes come all the same", async () => {
    const seen = await visit(browser, { storageState: await context.storageState() });
    await seen.context.routeWebSocket(/graphql/, (socket) => socket.close({ code: 1012 }));
    await seen.page.goto(base);
    await seen.page.getByText("Live updates are interrupted. Looking for changes every few seconds instead.").waitFor();
    await called("Studio");
    await seen.page.getByRole("article", { name: "Studio" }).waitFor();
    await page.getByRole("article", { name: "Studio" }).waitFor();
    quiet(seen);
    await seen.context.close();
  });

  await check("what changes before the first subscription is established shows too", async () => {
    const seen = await visit(browser, { storageState: await context.storageState() });
    let open;
    const held = new Promise((resolve) => (open = resolve));
    await seen.context.routeWebSocket(/graphql/, async (socket) => {
      await held;
      socket.connectToServer();
    });
    await seen.page.goto(page.url());
    await seen.page.getByRole("article", { name: "Studio" }).waitFor();
    await called("Meanwhile");
    open();
    await seen.page.getByRole("article", { name: "Meanwhile" }).waitFor();
    await called("Studio");
    await seen.page.getByRole("article", { name: "Studio" }).waitFor();
    quiet(seen);
    await seen.context.close();
  });

  await check("a part that does not load at first is loaded all the same", async () => {
    const seen = await visit(browser, { storageState: await context.storageState() });
    let failures = 1;
    // By times Playwright would stop to intercept, and a request that it held then was never answered.
    await seen.page.route(/AdministrationPage.*js/, (route) => (failures-- > 0 ? route.abort() : route.continue()));
    const found = seen.page.getByRole("heading", { name: "Projects", level: 1 });
    await seen.page.goto(`${base}/administration/projects`);
    await found.waitFor();
    equal(place(seen.page), "/administration/projects", "the address");
    // Where loading it anew does not help, the page says so.
    await seen.page.evaluate(() => sessionStorage.clear()); // else it is too soon after the first time
    failures = 2;
    await seen.page.goto(`${base}/administration/projects`);
    await seen.page.getByRole("alert").getByText("A part of this page could not be loaded.").waitFor();
    equal([failures, await seen.page.getByRole("button", { name: "Try again" }).count()], [0, 0], "failures to come, and ways that lead nowhere");
    await seen.page.getByRole("button", { name: "Reload" }).click();
    await found.waitFor();
    quiet(seen, /ERR_FAILED/, /could not be loaded/);
    await seen.context.close();
  });

  await check("the project stays, whichever is the first by now", async () => {
    const here = page.url();
    await api(`mutation { createProject(input: { orgId: "local", name: "Acme" }) { id } }`);
    await page.reload();
    await page.getByRole("button", { name: "Project First project: choose another" }).waitFor();
    equal(page.url(), here, "the address");
  });
  await check("the project is switched by its menu", async () => {
    const { createProject: other } = await api(`mutation { createProject(input: { orgId: "local", name: "Website" }) { id } }`);
    await page.reload();
    await page.getByRole("button", { name: /: choose another$/ }).click();
    let answer;
    const held = new Promise((resolve) => (answer = resolve));
    await page.route("**/graphql", async (route) => {
      if (route.request().postDataJSON()?.operationName === "Gallery") await held;
      await route.fallback();
    });
    await page.getByRole("menuitem", { name: "Website" }).click();
    await page.getByRole("button", { name: "Project Website: choose another" }).waitFor();
    await page.getByLabel("The integrations are being read").waitFor();
    equal(await page.getByRole("article").count(), 0, "the number of cards before the answer");
    answer();
    await page.getByRole("article", { name: "ClickUp" }).getByText("Not connected").waitFor();
    equal(new URL(page.url()).search, `?project=${other.id}`, "the query");
    await page.goBack();
    await page.getByRole("article", { name: "Studio" }).waitFor();
  });
  await check("the developer tools show the refused connections alone", () => quiet(visitor, serverAway));
});
