// The drawer that connects and configures: what the server refuses is kept and said where it belongs, secrets are written and
// never read, a connection is tried before and after it is saved, and two who change the same lose nothing.
import { answerTo, api, ask, assert, base, check, equal, keepsNoSecret, looker, place, quiet, scenario, send, serverAway, visit } from "./browser.mjs";

const { ADMIN_KEY, EDITOR_KEY, VIEWER_KEY, SIGN_IN_LINK, CLICKUP_TOKEN, CLICKUP_WORKSPACE } = process.env;

const wrong = "pk_1_THISTOKENISNOTONEOFCLICKUPS";

const look = looker("connect");

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page, context } = visitor;
  const drawer = page.getByRole("dialog");
  const button = (name) => drawer.getByRole("button", { name, exact: true });
  const gone = () => drawer.waitFor({ state: "detached" });
  const project = (await api(`{ projects(orgId: "local") { nodes { id } } }`)).projects.nodes[0].id;
  const stored = async (name = "clickup") =>
    (
      await api(
        `query ($p: UUID!, $n: String!) { integration(orgId: "local", projectId: $p, name: $n) {
          id displayName description revision settings configuredSecrets secretChanges { changedAt } webhook { registered } syncState { schedule { everyMinutes cron timeZone } } } }`,
        { p: project, n: name },
      )
    ).integration;
  const meanwhile = (settings) =>
    api(`mutation ($p: UUID!, $s: Map!) { updateIntegration(orgId: "local", projectId: $p, name: "clickup", input: { settings: $s }) { revision } }`, { p: project, s: settings });

  await page.goto(SIGN_IN_LINK);

  await check("a wrong token is refused in words, and stays typed", async () => {
    await page.getByRole("link", { name: "Connect ClickUp" }).click();
    await drawer.getByRole("heading", { name: "Connect ClickUp" }).waitFor();
    assert(await button("Test connection").isDisabled(), "nothing can be tested yet");
    const webhook = drawer.getByLabel("Have ClickUp tell of changes");
    assert(await webhook.isDisabled(), "a draft has no webhook");
    await drawer.getByText("Needed first: API token, Workspace ID.").waitFor();
    const link = drawer.getByRole("link", { name: "Where do I find it?" });
    equal([await link.getAttribute("href"), await link.getAttribute("rel")], ["https://app.clickup.com/settings/apps", "noopener noreferrer"], "the link");
    await drawer.getByLabel("API token").fill(wrong);
    await button("Test connection").click();
    await drawer.getByRole("status").getByText(/^ClickUp refused the credentials/).waitFor();
    equal(await drawer.getByLabel("API token").inputValue(), wrong, "the token");
    equal(await drawer.getByLabel("Workspace ID").count(), 1, "fields to type a workspace in");
  });

  await check("once the token works, the workspace is chosen from a list", async () => {
    await drawer.getByLabel("API token").fill(` ${CLICKUP_TOKEN}`);
    await button("Test connection").click();
    await drawer.getByText(/^Works: signed in as .+, 1 workspace \(\d+ ms\)$/).waitFor();
    equal(await drawer.getByRole("combobox", { name: "Workspace" }).inputValue(), CLICKUP_WORKSPACE, "the workspace");
  });

  await check("what the server refuses is said at each field, and nothing is lost", async () => {
    await drawer.getByLabel("Batch size").fill("5");
    await drawer.getByLabel("Import completed tasks").check();
    await drawer.getByLabel("Have ClickUp tell of changes").check();
    await drawer.getByLabel("Schedule").selectOption("cron");
    await drawer.getByLabel("Cron line").fill("every day");
    await button("Save").click();
    await drawer.getByText(/^Batch size must be .*10/).waitFor();
    await drawer.getByText("Look at: Batch size.").waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "setting-batch_size");
    equal(await stored(), null, "what is stored");
    await drawer.getByLabel("Batch size").fill("50");
    equal(await drawer.getByText("Look at").count(), 0, "complaints once it is mended");
    equal([await drawer.getByLabel("API token").inputValue(), await drawer.getByLabel("Import completed tasks").isChecked()], [` ${CLICKUP_TOKEN}`, true], "what was typed");
  });

  await check("what follows the saving may be refused too", async () => {
    await button("Save").click();
    await drawer.getByText("Look at: Cron line.").waitFor();
    equal((await stored()).settings, { batch_size: 50, import_completed_tasks: true, workspace_id: CLICKUP_WORKSPACE }, "the settings");
    await drawer.getByText("Set · changed just now").waitFor();
    await drawer.getByText("Not set up: changes come with the next sync only.").waitFor();
    equal(await drawer.getByLabel("Cron line").inputValue(), "every day", "the line");
    assert(!(await page.content()).includes(CLICKUP_TOKEN), "the token is in the page");
  });

  let id;
  await check("saved, it leads to the import", async () => {
    await drawer.getByLabel("Schedule").selectOption("30");
    await button("Save and import").click();
    await page.waitForURL(/[?&]import=/);
    const now = await stored();
    id = now.id;
    equal([now.syncState.schedule, now.webhook], [{ everyMinutes: 30, cron: null, timeZone: null }, { registered: true }], "schedule and webhook");
    equal(new URL(page.url()).searchParams.get("import"), id, "the address");
    await page.goto(`${base}/`);
  });

  const configure = async () => {
    await page.getByRole("link", { name: "Configure ClickUp" }).click();
    await drawer.getByRole("heading", { name: "Configure ClickUp" }).waitFor();
    await button("Test connection").waitFor();
  };

  await check("a secret that is left empty stays", async () => {
    await configure();
    const [before] = (await stored()).secretChanges;
    await button("Replace API token").click();
    await page.waitForFunction(() => document.activeElement?.id === "setting-api_token");
    await drawer.getByLabel("What it is for").fill("The team's tasks");
    await button("Save").click();
    await gone();
    const now = await stored();
    equal([now.description, now.secretChanges[0], now.configuredSecrets], ["The team's tasks", before, ["api_token"]], "what is stored");
  });

  await check("a change is tried with the stored token, and not saved by that", async () => {
    const { revision } = await stored();
    await configure();
    await button("Test connection").click();
    await drawer.getByText(/^Works: signed in as /).waitFor();
    await button("Replace API token").click();
    await drawer.getByLabel("API token").fill(wrong);
    equal(await drawer.getByText(/^Works:/).count(), 0, "results that hold no longer");
    await button("Test connection").click();
    await drawer.getByRole("status").getByText(/^ClickUp refused the credentials/).waitFor();
    await button("Keep it").click();
    equal((await stored()).revision, revision, "the revision");
  });

  await check("leaving asks where something would be lost", async () => {
    await drawer.getByLabel("Batch size").fill("70");
    await page.keyboard.press("Escape");
    await drawer.getByText("What you typed is not saved.").waitFor();
    await page.waitForFunction(() => document.activeElement?.textContent === "Keep editing");
    await page.keyboard.press("Enter");
    await page.goBack();
    await drawer.getByText("What you typed is not saved.").waitFor();
    await button("Keep editing").click();
    equal([place(page), await drawer.getByLabel("Batch size").inputValue()], [`/?configure=${id}`, "70"], "the address and the batch size");
  });

  await check("two who change the same lose nothing", async () => {
    await meanwhile({ batch_size: 60, import_comments: false });
    await button("Save").click();
    await drawer.getByText("e2e admin changed this first, just now").waitFor();
    assert(/^api-key:pb_.+ \(e2e admin\)$/.test(await drawer.getByText("e2e admin", { exact: true }).getAttribute("title")), "the whole subject is not told");
    await drawer.getByText("What changed: Import comments, Batch size.").waitFor();
    await look.once(page, "conflict");
    equal((await stored()).settings.batch_size, 60, "the batch size that is stored");
    await button("Load their changes, keep mine").click();
    equal([await drawer.getByLabel("Batch size").inputValue(), await drawer.getByLabel("Import comments").isChecked()], ["70", false], "the form");
    await button("Save").click();
    await gone();
    equal([(await stored()).settings.batch_size, (await stored()).settings.import_comments], [70, false], "what is stored");
  });

  await check("a schedule that somebody else set meanwhile is not overwritten", async () => {
    const everyMinutes = async () => (await stored()).syncState.schedule.everyMinutes;
    await configure();
    await drawer.getByLabel("Schedule").selectOption("60");
    await api(`mutation ($id: UUID!) { setSyncSchedule(integrationId: $id, schedule: { everyMinutes: 15 }) { id } }`, { id });
    await button("Save").click();
    await drawer.getByText("e2e admin changed this first, just now").waitFor();
    await drawer.getByText("What changed: Schedule.").waitFor();
    equal(await everyMinutes(), 15, "the schedule that is stored");
    await button("Load their changes, keep mine").click();
    await button("Save").click();
    await gone();
    equal(await everyMinutes(), 60, "the schedule that is stored");
  });

  await check("the webhook is repaired, and its new secret shown once", async () => {
    await configure();
    equal(await drawer.getByLabel("Webhook address", { exact: true }).inputValue(), `${base}/webhooks/clickup/${id}`, "the address");
    const [answered] = await Promise.all([answerTo(page, "RegisterWebhook"), button("Repair").click()]);
    equal((await answered.json()).errors, undefined, "errors");
    await drawer.getByText("Registered, nothing delivered yet.").waitFor();
    await button("Rotate the webhook secret…").click();
    await button("Rotate it").click();
    await drawer.getByText(/shown only now, and will not come back\. ClickUp has it already\. The one before stays valid until/).waitFor();
    const secret = await drawer.getByLabel("New webhook secret", { exact: true }).inputValue();
    assert(secret.length > 20, "there is no secret");
    await look.once(page, "secret");
    await page.keyboard.press("Escape");
    await drawer.getByText("The new webhook secret will not come back.").waitFor();
    await button("Keep editing").click();
    await drawer.getByRole("link", { name: "Deliveries" }).click();
    await drawer.getByText("The new webhook secret will not come back.").waitFor();
    await button("Keep editing").click();
    await button("I have copied it").click();
    assert(!(await page.content()).includes(secret), "the secret is still there");
    // What the webhook changed is nobody else's change.
    await drawer.getByLabel("Schedule").selectOption("every");
    await drawer.getByLabel("Minutes between two syncs").fill("45");
    await drawer.getByLabel("Batch size").fill("80");
    await button("Save").click();
    await gone();
    equal([(await stored()).syncState.schedule.everyMinutes, (await stored()).settings.batch_size], [45, 80], "what is stored");
  });

  await check("a second one of a provider has a name of its own", async () => {
    await page.goto(`${base}/?connect=clickup`);
    await drawer.getByRole("heading", { name: "Connect another ClickUp" }).waitFor();
    await drawer.getByLabel("Display name").fill("Design Team");
    equal(await drawer.getByLabel("Name", { exact: true }).inputValue(), "design-team", "the name");
    await drawer.getByLabel("Name", { exact: true }).fill("clickup");
    await button("Save draft").click();
    await drawer.getByText("Look at: Name.").waitFor();
    await drawer.getByLabel("Name", { exact: true }).fill("design-team");
    await drawer.getByRole("button", { name: "Save and import" }).click();
    await drawer.getByText("API token is needed before anything can be imported.").waitFor();
    await button("Save draft").click();
    await gone();
    equal((await stored("design-team")).displayName, "Design Team", "the display name");
    await page.getByText("Finish set-up: API token and workspace missing").waitFor();
  });

  await check("one of another project is changed there, whichever project the address has", async () => {
    const { createProject: other } = await api(`mutation { createProject(input: { orgId: "local", name: "Website" }) { id } }`);
    const { createIntegration: theirs } = await api(
      `mutation ($p: UUID!, $s: Map!) { createIntegration(input: { orgId: "local", projectId: $p, name: "clickup", settings: $s }) { id } }`,
      { p: other.id, s: { api_token: CLICKUP_TOKEN, workspace_id: CLICKUP_WORKSPACE } },
    );
    await page.goto(`${base}/?project=${project}&configure=${theirs.id}`);
    await drawer.getByLabel("Batch size").fill("30");
    equal(new URL(page.url()).searchParams.get("project"), other.id, "the project of the address");
    await button("Save").click();
    await gone();
    await page.getByRole("button", { name: "Project Website: choose another" }).waitFor();
    const { integrationById: changed } = await api(`query ($id: UUID!) { integrationById(id: $id) { settings } }`, { id: theirs.id });
    equal([changed.settings.batch_size, (await stored()).settings.batch_size], [30, 80], "the batch sizes");
    await page.goto(`${base}/?project=${project}&import=${theirs.id}`);
    await drawer.getByRole("tree", { name: "What to import" }).waitFor();
    equal(new URL(page.url()).searchParams.get("project"), other.id, "the project of the address");
  });

  await page.goto(`${base}/?configure=${id}`);
  await button("Test connection").click();
  await drawer.getByText(/^Works:/).waitFor();
  await look.all(page, "configure");
  await drawer.getByLabel("Schedule").selectOption("cron");
  await drawer.getByLabel("Cron line").fill("* *");
  await button("Save").click();
  await drawer.getByText("Look at: Cron line.").waitFor();
  await look.all(page, "refused");
  await button("Cancel").click();
  await look.all(page, "leaving");
  await button("Discard").click();
  await gone();
  await page.getByRole("link", { name: "Connect Jira" }).click();
  await drawer.getByLabel("Site address").fill("acme");
  await drawer.getByLabel("Projects").fill("ENG\nlow\n");
  await button("Save draft").click();
  await drawer.getByText("Item 2 of Projects must be").waitFor();
  await drawer.getByText("Look at: Site address, Projects.").waitFor();
  await look.all(page, "jira");
  await button("Cancel").click();
  await button("Discard").click();
  await gone();

  await check("the browser stores no secret", () => keepsNoSecret(page, [ADMIN_KEY, CLICKUP_TOKEN]));
  await check("the developer tools show nothing", () => quiet(visitor));

  await check("who signs in anew on a phone goes on in the drawer or dialog that was open", async () => {
    const made = await api(`mutation { createApiKey(input: { orgId: "local", name: "Phone", role: EDITOR }) { key apiKey { id } } }`);
    const seen = await visit(browser, { viewport: { width: 375, height: 812 }, reducedMotion: "reduce" });
    const shown = (name) => seen.page.getByRole("dialog", { name });
    const signIn = async (where, key) => {
      await where.getByLabel("API key").click();
      await seen.page.keyboard.insertText(key);
      await where.getByRole("button", { name: "Sign in with the key" }).click();
    };
    await seen.page.goto(`${base}/?configure=${id}`);
    await signIn(seen.page, made.createApiKey.key);
    await shown("Configure ClickUp").getByLabel("What it is for").fill("Half typed");
    for (const open of ["Configure ClickUp", "Import from ClickUp"]) {
      if (open === "Import from ClickUp") {
        await seen.page.goto(`${base}/?import=${id}`);
        await shown(open).getByRole("tree").waitFor();
      }
      const { apiKeys } = await api(`{ apiKeys(orgId: "local") { id sessionOf revokedAt } }`);
      const session = apiKeys.findLast(({ sessionOf, revokedAt }) => sessionOf?.includes("(Phone)") && !revokedAt);
      await api(`mutation ($id: UUID!) { revokeApiKey(id: $id) { id } }`, { id: session.id });
      const again = shown("Your session has ended");
      await again.waitFor();
      await seen.page.keyboard.press("Escape");
      await signIn(again, made.createApiKey.key);
      await again.waitFor({ state: "detached" });
      await shown(open).waitFor();
      if (open === "Configure ClickUp") equal(await shown(open).getByLabel("What it is for").inputValue(), "Half typed", "what was typed");
    }
    quiet(seen, /status of 401/);
    await seen.context.close();
  });

  for (const [role, key] of [["editor", EDITOR_KEY], ["viewer", VIEWER_KEY]]) {
    await check(role === "editor" ? "an editor cannot rotate secrets, and is not offered to" : "a viewer is told why there is nothing to change", async () => {
      const seen = await visit(browser);
      const shown = seen.page.getByRole("dialog");
      await seen.page.goto(`${base}/?configure=${id}`);
      await seen.page.getByLabel("API key").fill(key);
      await seen.page.keyboard.press("Enter");
      if (role === "editor") {
        await shown.getByRole("button", { name: "Repair" }).waitFor();
        equal(await shown.getByText("Rotate the webhook secret").count(), 0, "offers to rotate");
      } else {
        await shown.getByText("You may look, but not change this").waitFor();
        equal(await shown.getByRole("textbox").or(shown.getByRole("link")).count(), 0, "fields and links");
        await look.once(seen.page, "viewer");
      }
      quiet(seen);
      await seen.context.close();
    });
  }

  await check("without the server, what was typed stays", async () => {
    await configure();
    await drawer.getByLabel("What it is for").fill("Typed while it was away");
    await ask("stop");
    await button("Save").click();
    await drawer.getByText("The server cannot be reached.").waitFor();
    await page.getByText("The server cannot be reached. What you see").waitFor();
    equal(await drawer.getByLabel("What it is for").inputValue(), "Typed while it was away", "the description");
    await ask("start");
    await page.getByText("The server cannot be reached. What you see").waitFor({ state: "detached" });
    await button("Save").click();
    await gone();
    equal((await stored()).description, "Typed while it was away", "the description that is stored");
  });
  await check("the developer tools show the refused connections alone", () => quiet(visitor, serverAway));
});
