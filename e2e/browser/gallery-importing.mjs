// The import dialog: chosen by keyboard and by hand, followed live, closed and opened again, cancelled, refused, and what
// came of it, for who may start imports and for who may only look.
import { api, ask, assert, base, check, equal, keepsNoSecret, looker, place, quiet, scenario, send, visit } from "./browser.mjs";

const { ADMIN_KEY, VIEWER_KEY, SIGN_IN_LINK, CLICKUP_TOKEN, CLICKUP_WORKSPACE } = process.env;

await ask("clickup archives a list");
const project = (await api(`{ projects(orgId: "local") { nodes { id } } }`)).projects.nodes[0].id;
const made = await api(
  `mutation ($project: UUID!, $settings: Map!) { createIntegration(input: { orgId: "local", projectId: $project, name: "clickup", settings: $settings }) { id } }`,
  { project, settings: { api_token: CLICKUP_TOKEN, workspace_id: CLICKUP_WORKSPACE, batch_size: 50 } },
);
const id = made.createIntegration.id;
const places = (await api(`query ($id: UUID!) { externalStructure(integrationId: $id) { externalId parentExternalId kind name itemCount archived } }`, { id })).externalStructure;
const [workspace, space] = places;
const state = async () => (await api(`query ($id: UUID!) { integrationById(id: $id) { syncState { status selection currentRun { id } } } }`, { id })).integrationById.syncState;
const startByApi = async () => (await api(`mutation ($id: UUID!) { startSync(integrationId: $id) { id } }`, { id })).startSync.id;

/** Who calls startSync by the page, and with what. */
const started = (page) => page.waitForRequest((request) => request.postDataJSON()?.operationName === "StartImport").then((request) => request.postDataJSON().variables.input);

const look = looker("import", { of: "[role=dialog]", within: "[role=dialog] *" });

await scenario(async (browser) => {
  const visitor = await visit(browser, { reducedMotion: "reduce" });
  const { page, context } = visitor;
  const dialog = page.getByRole("dialog", { name: "Import from ClickUp" });
  const item = (name) => dialog.getByRole("treeitem", { name });
  const line = ({ name, kind }) => item(new RegExp(`^${name} ?, ${kind}`)).first();
  const button = (name) => dialog.getByRole("button", { name, exact: true });
  const total = async () => (await dialog.getByRole("status").filter({ hasText: /item|Nothing/ }).innerText()).split("\n").filter(Boolean);
  const became = (words) => dialog.getByRole("status").filter({ hasText: words }).getByText(/objects? handled/).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.textContent);

  await check("the address opens the tree, all of it chosen", async () => {
    await page.goto(SIGN_IN_LINK);
    await page.getByRole("article", { name: "ClickUp" }).waitFor();
    await page.goto(`${base}/?import=${id}`);
    await dialog.getByRole("tree", { name: "What to import" }).waitFor();
    equal(await line(workspace).getAttribute("aria-checked"), "true", "the Workspace");
    equal((await total())[1], "1 archived left out", "what is left out");
    equal(await dialog.getByLabel("Batch size").inputValue(), "50", "the batch size");
    equal(await dialog.getByRole("radio").count(), 0, "modes before the first import");
  });

  await check("the keyboard moves, folds and toggles", async () => {
    await line(workspace).focus();
    await page.keyboard.press("ArrowDown");
    assert((await focused()).startsWith(`${space.name}, space`), await focused());
    equal(await line(space).getAttribute("aria-level"), "2", "the level");
    await page.keyboard.press("Space");
    equal([await line(space).getAttribute("aria-checked"), await line(workspace).getAttribute("aria-checked")], ["false", "mixed"], "the states");
    await page.keyboard.press("ArrowLeft");
    equal(await line(space).getAttribute("aria-expanded"), "false", "expanded");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    equal(await line(space).getAttribute("aria-expanded"), "true", "expanded");
    assert(!(await focused()).startsWith(space.name), await focused());
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowLeft"); // folds the folder, leaves it, folds the space, leaves it
    equal(await focused(), await line(workspace).textContent(), "the focus");
    await page.keyboard.press("End");
    await page.keyboard.press("Home");
    equal(await focused(), await line(workspace).textContent(), "the focus");
  });

  await check("all, none and a search change the total", async () => {
    await button("None").click();
    equal(await total(), ["Nothing is chosen"], "the total");
    assert(await button("Start import").isDisabled(), "nothing can be imported");
    const list = places.find(({ kind, archived }) => kind === "list" && !archived);
    await dialog.getByRole("textbox", { name: "Search what to import" }).fill(list.name.toLowerCase());
    await button("Select found").waitFor();
    equal(await item(new RegExp(`^${list.name} ?, list`)).count(), places.filter(({ name }) => name === list.name).length, "what is found");
    await item(new RegExp(`^${list.name} ?, list \\d`)).first().click();
    assert(/^1 list, \d+ items?$/.test((await total())[0]), await total());
    await page.keyboard.press("Tab");
    await dialog.getByRole("textbox", { name: "Search what to import" }).press("Escape");
    await button("Select all").click();
    equal((await total())[1], "1 archived left out", "what is left out");
    await dialog.getByRole("checkbox", { name: "Archived items" }).check();
    equal((await total()).length, 1, "lines of the total");
    await dialog.getByRole("checkbox", { name: "Archived items" }).uncheck();
  });

  await check("nothing is left of a choice that is archived", async () => {
    await button("None").click();
    await dialog.getByRole("textbox", { name: "Search what to import" }).fill(places.find(({ archived }) => archived).name);
    await item(/archived/).click();
    await dialog.getByRole("textbox", { name: "Search what to import" }).press("Escape");
    equal(await total(), ["Nothing to import", "1 archived left out"], "the total");
    assert(await button("Start import").isDisabled(), "nothing can be imported");
    await button("Select all").click();
  });

  await check("a wrong batch size is told at once", async () => {
    await dialog.getByLabel("Batch size").fill("5");
    await dialog.getByText("From 10 to 1,000").waitFor();
    assert(await button("Start import").isDisabled(), "5 is taken");
    await dialog.getByLabel("Batch size").fill("20");
    await dialog.getByText("From 10 to 1,000").waitFor({ state: "detached" });
  });

  await check("what is chosen outlives a reload", async () => {
    await line(space).click();
    const chosen = await total();
    await page.reload();
    await line(space).waitFor();
    equal(await total(), chosen, "the total");
    equal(await dialog.getByLabel("Batch size").inputValue(), "20", "the batch size");
  });
  await look.all(page, "choice");

  await check("the tree says how old it is, and is read again by itself once it is some minutes old", async () => {
    const later = await visit(browser, { reducedMotion: "reduce", storageState: await context.storageState() });
    const { page } = later;
    const asked = [];
    page.on("request", (request) => request.postDataJSON()?.operationName === "Structure" && asked.push(request));
    const open = async () => {
      await page.getByRole("link", { name: "Import: ClickUp" }).click();
      await page.getByRole("tree").waitFor();
    };
    const close = () => page.getByRole("dialog").getByRole("button", { name: "Close" }).first().click();
    await page.clock.install();
    await page.goto(base);
    await open();
    await page.getByText("Read just now").waitFor();
    await page.clock.fastForward("05:00");
    await page.getByText(/^Read 5 minutes ago/).waitFor();
    await close();
    await open();
    equal(asked.length, 1, "how often ClickUp was asked");
    await page.clock.fastForward("05:00");
    await close();
    await open();
    await page.getByText("Read just now").waitFor();
    equal(asked.length, 2, "how often ClickUp was asked");
    quiet(later);
    await later.context.close();
  });

  await check("without the server, the choice stays", async () => {
    await page.route("**/graphql", (route) => (route.request().postDataJSON()?.operationName === "StartImport" ? route.abort() : route.fallback()), { times: 1 });
    await button("Start import").click();
    await dialog.getByText("The server cannot be reached.").waitFor();
    equal(await line(space).getAttribute("aria-checked"), "false", "the choice");
  });

  await ask("clickup holds tasks back");
  let run;
  await check("an import sends the fewest ids, and shows how far it is", async () => {
    const [sent] = await Promise.all([started(page), button("Start import").click()]);
    const others = places.filter(({ parentExternalId, externalId }) => parentExternalId === workspace.externalId && externalId !== space.externalId);
    equal(sent, { batchSize: 20, externalIds: others.map(({ externalId }) => externalId), mode: "FULL" }, "what is sent");
    await dialog.getByText(/^Now: /).waitFor();
    await dialog.getByRole("row", { name: /^People/ }).waitFor();
    run = new URL(page.url()).searchParams.get("run");
    const { selection, currentRun } = await state();
    equal([selection, currentRun.id], [sent.externalIds, run], "the selection and the run");
  });
  await look.all(page, "live");

  await check("it can be closed and opened again, and outlives a reload", async () => {
    await button("Close").first().click();
    await dialog.waitFor({ state: "detached" });
    equal(place(page), "/", "the address");
    await page.getByRole("link", { name: "Show the import from ClickUp" }).click();
    await button("Cancel import").waitFor();
    await page.reload();
    await button("Cancel import").waitFor();
    await page.goto(`${base}/?import=${id}`);
    await button("Cancel import").waitFor();
    equal(new URL(page.url()).searchParams.get("run"), run, "the run");
  });

  const viewer = await visit(browser, { reducedMotion: "reduce" });
  await check("a viewer sees how far it is, and can neither cancel nor start", async () => {
    await viewer.page.goto(`${base}/?import=${id}`);
    await viewer.page.getByLabel("API key").fill(VIEWER_KEY);
    await viewer.page.keyboard.press("Enter");
    await viewer.page.getByText("It goes on when you close this.").waitFor();
    const shown = viewer.page.getByRole("dialog");
    equal(await shown.getByRole("button").or(shown.getByRole("link")).allInnerTexts(), ["", "Close"], "the buttons and links");
  });

  await ask("clickup recovers");
  await check("its end shows by itself, to both", async () => {
    for (const each of [page, viewer.page]) await each.getByRole("dialog").getByText("Import finished").waitFor();
    await dialog.getByRole("row", { name: /^Tasks \d/ }).waitFor();
    const [, handled] = /^(\d+) objects handled in [\d.]+\ss/.exec(await dialog.getByText(/objects handled/).innerText()) ?? [];
    const numbers = await dialog.getByRole("table").getByRole("cell").allInnerTexts();
    equal(Number(handled), numbers.reduce((sum, n) => sum + (Number(n) || 0), 0), "what was handled, by the table");
    equal(await viewer.page.getByRole("dialog").getByRole("button").allInnerTexts(), ["", "Close"], "the buttons of a viewer");
    await viewer.page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  });
  await look.all(page, "result");
  await check("a viewer finds it again", async () => {
    // Not by a reload: the key would be gone.
    await viewer.page.evaluate((to) => history.pushState(null, "", to), `/?import=${id}`);
    await viewer.page.getByText("Nothing is being imported").waitFor();
    await viewer.page.getByRole("button", { name: "See what came of it" }).click();
    await viewer.page.getByText("Import finished").waitFor();
    quiet(viewer, /status of 401/);
    await viewer.context.close();
  });

  await check("the next one begins with the same choice, and may read only changes", async () => {
    await button("Import again").click();
    await line(space).waitFor();
    equal([await line(space).getAttribute("aria-checked"), await line(workspace).getAttribute("aria-checked")], ["false", "mixed"], "the choice");
    await dialog.getByText(/^\d+ lists.*, \d+ items · less than a minute$/).waitFor();
    await button("See what came of it").click();
    await became("Import finished");
    await button("Import again").click();
    await dialog.getByRole("radio", { name: "Only changes" }).check();
    await dialog.getByText(/^\d+ lists.*, \d+ items$/).waitFor();
    const [sent] = await Promise.all([started(page), button("Start import").click()]);
    equal(sent.mode, "INCREMENTAL", "the mode");
    await became("Import finished");
    const { syncRun } = await api(`query ($id: UUID!) { syncRun(id: $id) { mode } }`, { id: new URL(page.url()).searchParams.get("run") });
    equal(syncRun.mode, "INCREMENTAL", "the run's mode");
  });

  await ask("clickup holds tasks back");
  await check("an import that somebody else starts is told of, and cancelled", async () => {
    await button("Import again").click();
    await button("Start import").waitFor();
    const other = await startByApi();
    await button("Show it").click();
    equal(new URL(page.url()).searchParams.get("run"), other, "the run");
    await dialog.getByText(/^Now: /).waitFor();
    await button("Cancel import").click();
    await became("Import cancelled");
    assert(await page.evaluate(() => document.activeElement !== document.body), "the focus is lost");
  });
  await check("where another one was quicker, that is shown", async () => {
    await button("Import again").click();
    let other;
    await page.route("**/graphql", async (route) => {
      if (route.request().postDataJSON()?.operationName === "StartImport") other = await startByApi();
      await route.fallback();
    }, { times: 1 });
    await button("Start import").click();
    await button("Cancel import").waitFor();
    equal(new URL(page.url()).searchParams.get("run"), other, "the run");
    await button("Cancel import").click();
    await became("Import cancelled");
  });

  await ask("clickup hides some lists");
  await check("what failed is named, with the reason", async () => {
    await button("Import again").click();
    await button("Select all").click();
    const [sent] = await Promise.all([started(page), button("Start import").click()]);
    equal(sent.externalIds, null, "everything");
    await became(/\d+ items could not be imported/);
    await dialog.getByRole("region", { name: "What could not be imported" }).getByText(/^Collection/).first().waitFor();
  });
  await look.all(page, "failures");

  await ask("clickup recovers");
  await check("all is imported", async () => {
    await button("Import again").click();
    await button("Start import").click();
    await became("Import finished");
  });
  await ask("clickup loses a space");
  await check("many deletions need a word", async () => {
    await button("Import again").click();
    await button("Start import").click();
    await dialog.getByText("Nothing was marked as deleted").waitFor();
  });
  await look.all(page, "deletions");
  await check("the card and the run lead to that decision", async () => {
    await button("Close").first().click();
    await dialog.waitFor({ state: "detached" });
    await page.getByText("Deletions need your word").waitFor();
    await page.getByRole("link", { name: "Decide: ClickUp" }).click();
    await button("Mark them as deleted…").waitFor();
    await button("Close").first().click();
    await page.getByRole("link", { name: "ClickUp", exact: true }).click();
    await page.getByRole("region", { name: "Needs attention" }).getByText("Deletions need your word").waitFor();
    await page.getByRole("tab", { name: "Runs" }).click();
    await page.getByRole("row", { name: /deletions need a word/ }).getByRole("link").click();
    const drawer = page.getByRole("dialog", { name: /^Everything, / });
    await drawer.getByText("Nothing was marked as deleted").waitFor();
    await page.waitForFunction(() => !document.body.innerText.includes("confirmDeletions"));
    await drawer.getByRole("link", { name: "Decide" }).click();
    await button("Mark them as deleted…").waitFor();
    await drawer.waitFor({ state: "detached" });
    await page.goto(`${base}/?import=${id}`);
    await button("See what came of it").click();
    await button("Mark them as deleted…").waitFor();
  });
  const confirm = page.getByRole("dialog", { name: /^Mark some \d+ objects as deleted\?$/ });
  await check("it is asked for slowly", async () => {
    await button("Mark them as deleted…").click();
    await confirm.getByRole("textbox").fill("click");
    await page.keyboard.press("Escape");
    await confirm.waitFor({ state: "detached" });
    await button("Mark them as deleted…").click();
    assert(await confirm.getByRole("button", { name: "Import and delete" }).isDisabled(), "no name is needed");
    await confirm.getByRole("textbox").fill("clickup");
  });
  await look.all(page, "deletions-confirm");
  await check("they are marked then", async () => {
    await page.keyboard.press("Enter");
    await confirm.waitFor({ state: "detached" });
    await became("Import finished");
    await dialog.getByText(/, \d+ of them found to be deleted, in/).waitFor();
  });

  await ask("clickup refuses the token");
  await check("a token that is refused leads to the settings", async () => {
    await button("Import again").click();
    await button("Read anew what there is").click();
    await dialog.getByText("ClickUp refused the credentials").waitFor();
  });
  await look.all(page, "refused");
  await check("and is mended there", async () => {
    await dialog.getByRole("link", { name: "Fix" }).click();
    equal(place(page), `/?configure=${id}`, "the address");
    await page.goto(`${base}/?import=${id}`);
    await dialog.getByText("ClickUp refused the credentials").waitFor();
  });
  await ask("clickup recovers");

  await check("a limit that is used up says until when", async () => {
    await page.reload();
    await button("Start import").waitFor();
    await ask("clickup's limit is used up");
    await button("Start import").click();
    await dialog.getByText(/^Waiting for ClickUp's rate limit until \d/).first().waitFor();
  });
  await look.all(page, "waiting");
  await check("so does the structure", async () => {
    await button("Cancel import").click();
    await button("Import again").click();
    await button("Read anew what there is").click();
    await dialog.getByText("ClickUp's rate limit is used up").waitFor();
    await dialog.getByText(/^It takes requests again at \d/).waitFor();
  });
  await look.all(page, "limit");

  await check("an integration that is disabled says so", async () => {
    await api(`mutation ($project: UUID!) { updateIntegration(orgId: "local", projectId: $project, name: "clickup", input: { enabled: false }) { id } }`, { project });
    await page.goto(`${base}/?import=${id}`);
    await dialog.getByRole("heading", { name: "ClickUp is disabled" }).waitFor();
  });
  await check("the browser stores no secret", async () => keepsNoSecret(page, [ADMIN_KEY, CLICKUP_TOKEN, ...(await context.cookies()).map(({ value }) => value)]));
  await check("the developer tools show the refused connection alone", () => quiet(visitor, /ERR_FAILED/));
});
