// Administration: keys, projects, the audit log, encryption and one's own session, by the keyboard's and the server's leave;
// and signing in with a key, which lasts as long as the key does.
import { api, ask, assert, base, check, equal, keepsNoSecret, looker, place, quiet, scenario, send, serverAway, visit } from "./browser.mjs";

const { ADMIN_KEY, EDITOR_KEY, VIEWER_KEY, CLICKUP_TOKEN, CLICKUP_WORKSPACE } = process.env;

const sections = { keys: "API keys", projects: "Projects", audit: "Audit log", encryption: "Encryption", session: "Your session" };

async function signIn(page, key) {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in with the key" }).click();
}

const look = looker("administration", { within: "[role=dialog], nav [aria-current]" });

/** Makes projects of these numbers, ten at a time. */
async function makeProjects(from, to) {
  for (let n = from; n < to; n += 10) {
    const ten = Array.from({ length: 10 }, (_, i) => `p${n + i}: createProject(input: { orgId: "local", name: "Project ${n + i}" }) { id }`);
    await api(`mutation { ${ten.join(" ")} }`);
  }
}

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page, context } = visitor;
  const dialog = page.getByRole("dialog");
  const heading = (name, within = page) => within.getByRole("heading", { name, level: 1 }).waitFor();
  const project = (await api(`{ projects(orgId: "local") { nodes { id } } }`)).projects.nodes[0].id;
  for (const [name, settings] of [["clickup", { api_token: CLICKUP_TOKEN, workspace_id: CLICKUP_WORKSPACE }], ["linear", { api_key: "lin_api_e2e0123456789" }]]) {
    await api(`mutation ($p: UUID!, $n: String!, $s: Map!) { createIntegration(input: { orgId: "local", projectId: $p, name: $n, settings: $s }) { id } }`, { p: project, n: name, s: settings });
  }

  await check("a key signs in at the address that was asked for", async () => {
    await page.goto(`${base}/administration/audit?action=session.create`);
    await signIn(page, ADMIN_KEY);
    await heading("Audit log");
    await page.getByRole("article", { name: "e2e admin: Signed in" }).waitFor();
    equal(place(page), "/administration/audit?action=session.create", "the address");
  });
  await check("that survives a reload, in a cookie which is not the key", async () => {
    await page.reload();
    await page.getByRole("article", { name: "e2e admin: Signed in" }).waitFor();
    const [{ httpOnly, sameSite, value }] = await context.cookies();
    equal([httpOnly, sameSite, value === ADMIN_KEY], [true, "Lax", false], "the cookie");
    await keepsNoSecret(page, [ADMIN_KEY, value]);
  });

  await check("what was typed for a key is not lost by a slip", async () => {
    await page.getByRole("link", { name: "API keys" }).click();
    await page.getByRole("button", { name: "Create a key" }).click();
    await page.keyboard.press("Escape"); // nothing was typed
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Create a key" }).click();
    const name = dialog.getByRole("textbox", { name: "Name" });
    await name.fill("Backups");
    await page.mouse.click(5, 5);
    await name.press("Escape");
    await dialog.getByText("What you typed is not saved.").waitFor();
    await look.once(page, "leaving");
    await page.keyboard.press("Escape");
    equal(await name.evaluate((each) => each === document.activeElement && each.value), "Backups", "what has the focus");
    await page.goBack();
    await dialog.getByRole("button", { name: "Discard" }).click();
    await dialog.waitFor({ state: "detached" });
    await heading("Audit log");
  });

  let key;
  await check("a key is made, and shown once", async () => {
    await page.getByRole("link", { name: "API keys" }).click();
    await page.getByRole("button", { name: "Create a key" }).click();
    await dialog.getByRole("button", { name: "Create", exact: true }).click();
    await dialog.getByText("Say what the key is for.").waitFor();
    await dialog.getByRole("textbox", { name: "Name" }).fill("Deploy pipeline of the customer portal, staging and production");
    await dialog.getByRole("radio", { name: "Editor" }).check();
    await dialog.getByRole("combobox", { name: "Projects" }).click();
    await dialog.getByRole("option", { name: "First project" }).click();
    await dialog.getByRole("combobox", { name: "Ends" }).click();
    await dialog.getByRole("option", { name: "1 year" }).click();
    await look.once(page, "create");
    await dialog.getByRole("button", { name: "Create", exact: true }).click();
    await dialog.getByText("It will not come back.").waitFor();
    key = await dialog.getByRole("textbox", { name: "API key" }).inputValue();
    equal(await page.evaluate(() => document.activeElement.value), key, "what has the focus");
    await look.once(page, "created");
    await page.keyboard.press("Escape"); // a slip
    await page.goBack(); // another
    await dialog.getByRole("button", { name: "I have copied it" }).click();
    await dialog.waitFor({ state: "detached" });
    assert(!(await page.content()).includes(key), "the key is still in the page");
    await page.waitForFunction(() => document.activeElement?.textContent === "Create a key");
    const { data } = await send(`{ viewer { role projectIds } }`, {}, key);
    equal(data.viewer, { role: "EDITOR", projectIds: [project] }, "the key's viewer");
  });
  await check("it is listed with what it may do, and who made it", async () => {
    const row = page.getByRole("row", { name: /Deploy pipeline/ });
    await row.getByText(`${key.slice(0, 11)}…`).waitFor();
    const text = await row.innerText();
    for (const part of ["by e2e admin", "Editor", "First project", "Never"]) assert(text.includes(part), text);
  });
  await check("to revoke it one types its name", async () => {
    await page.getByRole("button", { name: /^Revoke Deploy pipeline/ }).click();
    const revoke = dialog.getByRole("button", { name: "Revoke" });
    assert(await revoke.isDisabled(), "it can be revoked by a click");
    const { fontSize, lineHeight } = await dialog.getByRole("heading", { level: 2 }).evaluate((each) => getComputedStyle(each));
    assert(parseFloat(lineHeight) >= 1.3 * parseFloat(fontSize), `the title's lines of ${fontSize} are ${lineHeight} apart`);
    await look.once(page, "revoke");
    await dialog.getByRole("textbox").fill("Deploy pipeline of the customer portal, staging and production");
    await revoke.click();
    await dialog.waitFor({ state: "detached" });
    await page.getByText("Ended (1)").click();
    await page.getByRole("row", { name: /Deploy pipeline.*Revoked/ }).waitFor();
    equal((await send(`{ viewer { role } }`, {}, key)).errors[0].extensions.code, "UNAUTHENTICATED", "the code");
  });

  await check("a project is made", async () => {
    await page.getByRole("link", { name: "Projects", exact: true }).click();
    await page.getByLabel("A new project’s name").fill("Website");
    await page.keyboard.press("Enter");
    await page.getByText("The project Website was made.").waitFor();
    await page.getByRole("row", { name: /Website/ }).getByRole("link", { name: "Open Website" }).waitFor();
    await page.getByLabel("A new project’s name").fill("x".repeat(300));
    await page.keyboard.press("Enter");
    await page.getByText(/at most \d+ characters/).waitFor(); // the server's word
  });

  await check("the audit log is narrowed by action, which the address keeps", async () => {
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByRole("combobox", { name: "Action" }).click();
    await page.getByRole("option", { name: "Signed in" }).waitFor();
    await look.once(page, "actions");
    await page.getByRole("option", { name: "Connected an integration" }).click();
    const entry = page.getByRole("article", { name: "e2e admin: Connected an integration" }).first();
    await entry.waitFor();
    equal(place(page), "/administration/audit?action=integration.create", "the address");
    await page.reload();
    await entry.waitFor();
    equal(await page.getByRole("article").count(), 2, "the number of entries");
    assert((await entry.innerText()).includes("Settings\napi_key"), await entry.innerText());
    assert(!(await page.content()).includes("lin_api_e2e"), "the log shows a secret");
  });
  await check("the last hour is the one before it is asked for", async () => {
    const since = Date.now() - 3_600_000;
    await page.getByRole("combobox", { name: "When" }).click();
    const [request] = await Promise.all([
      page.waitForRequest((request) => request.postDataJSON()?.variables?.filter?.since),
      page.getByRole("option", { name: "Last hour" }).click(),
    ]);
    const asked = request.postDataJSON().variables.filter.since;
    assert(new Date(asked).getTime() >= since, `${asked} is asked for, as of when the page was opened`);
  });
  await check("and by who, integration and time", async () => {
    await page.getByRole("combobox", { name: "Integration" }).click();
    await page.getByRole("option", { name: "ClickUp (clickup)" }).click();
    await page.waitForFunction(() => document.querySelectorAll("article").length === 1);
    await page.getByRole("button", { name: /^More of/ }).click();
    await page.getByRole("button", { name: "Only this one" }).click();
    await page.waitForFunction(() => new URLSearchParams(location.search).get("actor")?.startsWith("api-key:pb_"));
    await page.getByRole("combobox", { name: "When" }).click();
    await page.getByRole("option", { name: "From a day to a day" }).click();
    await page.getByLabel("To", { exact: true }).fill("2001-01-01");
    await page.getByRole("heading", { name: "No entry fits that" }).waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    await page.getByRole("article", { name: /Made a project/ }).first().waitFor();
    equal(place(page), "/administration/audit", "the address");
  });
  await check("more of it is loaded", async () => {
    await makeProjects(0, 60);
    await page.getByRole("button", { name: "Look again" }).click();
    await page.getByRole("article", { name: /Made a project/ }).nth(49).waitFor();
    await page.getByRole("button", { name: "Load more" }).click();
    await page.getByRole("article", { name: /Signed in/ }).waitFor();
    const ids = await page.getByRole("article").count();
    assert(ids > 60, `${ids} entries`);
  });
  await check("of many projects, the header names the one that is looked at", async () => {
    await makeProjects(60, 210);
    const { createProject: last } = await api(`mutation { createProject(input: { orgId: "local", name: "Zoo" }) { id } }`); // beyond the first 200
    await page.goto(`${base}/?project=${last.id}`);
    await page.getByRole("button", { name: "Project Zoo: choose another" }).waitFor();
  });

  await check("who signs in again goes on where they were", async () => {
    await page.goto(`${base}/administration/audit?action=project.create`);
    await page.getByRole("article").first().waitFor();
    const session = (await api(`{ apiKeys(orgId: "local") { id sessionOf revokedAt } }`)).apiKeys.find(({ sessionOf, revokedAt }) => sessionOf && !revokedAt);
    await api(`mutation ($id: UUID!) { revokeApiKey(id: $id) { id } }`, { id: session.id });
    const again = page.getByRole("dialog", { name: "Your session has ended" });
    await signIn(again, ADMIN_KEY);
    await again.waitFor({ state: "detached" });
    await page.getByRole("article").first().waitFor();
    equal(await page.getByRole("alert").count(), 0, "complaints");
    equal(place(page), "/administration/audit?action=project.create", "the address");
  });

  await check("what does not open is counted when it is asked for", async () => {
    await page.getByRole("link", { name: "Encryption" }).click();
    await page.getByText("Nothing waits to be sealed anew.").waitFor();
    equal((await api(`{ auditEvents(orgId: "local", filter: { action: "secrets.open" }) { totalCount } }`)).auditEvents.totalCount, 0, "openings");
    await page.getByRole("button", { name: "Count what does not open" }).click();
    await page.getByText("Everything opens.").waitFor();
  });
  await check("the developer tools show the refusals alone", () => quiet(visitor, /status of 401/));
  await ask("stop");
  await check("without the server, an action says why it failed", async () => {
    await page.getByRole("button", { name: "Count what does not open" }).click();
    await page.getByRole("alert").filter({ hasText: "The server cannot be reached." }).waitFor();
    await page.getByText("The server cannot be reached. What you see").waitFor();
  });
  await ask("change the encryption key");
  await check("secrets of an earlier key are sealed anew, and what stayed is told", async () => {
    await page.getByText("The server cannot be reached. What you see").waitFor({ state: "detached" });
    await page.reload();
    await page.getByText("2 integrations are still sealed under an earlier key.").waitFor();
    await page.getByRole("button", { name: "Seal anew under the current key" }).click();
    await look.once(page, "rotate");
    await dialog.getByRole("button", { name: "Seal anew" }).click();
    await page.getByText("1 of 2 integrations sealed anew").first().waitFor();
    await page.getByText("1 integration did not open and stayed as it was").waitFor();
    await page.getByText("1 integration is still sealed under an earlier key.").waitFor();
    await page.getByRole("button", { name: "Count what does not open" }).click();
    await page.getByText("The secrets of 1 integration do not open").waitFor();
  });

  await api(`mutation { createApiKey(input: { orgId: "local", name: "CI", role: VIEWER, expiresAt: "${new Date(Date.now() + 3 * 86_400_000).toISOString()}" }) { key } }`);
  for (const [section, title] of Object.entries(sections)) {
    await page.getByRole("navigation").getByRole("link", { name: title }).click();
    await heading(title);
    await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
    if (section === "audit") await page.getByRole("button", { name: /^More of/ }).first().click();
    await look.all(page, section);
  }

  await check("one's session says who one is, and ends by signing out", async () => {
    await page.goto(`${base}/administration/session`);
    await page.getByText("Session ends").waitFor();
    const text = await page.getByRole("main").innerText();
    for (const part of [/e2e admin/, /api-key:pb_/, /Administrator/, /in 1[12] hours/]) assert(part.test(text), text);
    await page.getByRole("main").getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    equal(await context.cookies(), [], "the cookies");
  });
  await check("the developer tools show the refusals and the server's absence alone", () => quiet(visitor, /status of 401/, serverAway));

  await check("an administrator of some projects is offered what concerns these", async () => {
    const made = await api(`mutation { createApiKey(input: { orgId: "local", name: "Limited", role: ADMIN, projectIds: ["${project}"] }) { key } }`);
    const other = await visit(browser);
    await other.page.goto(`${base}/administration/encryption`);
    await signIn(other.page, made.createApiKey.key);
    await other.page.getByText("An administrator of all projects can seal what is left anew").waitFor();
    equal(await other.page.getByRole("button", { name: /^Seal anew/ }).count(), 0, "rotations");
    await other.page.getByRole("link", { name: "Projects", exact: true }).click();
    await other.page.getByText("You are limited to the ones below").waitFor();
    equal(await other.page.getByRole("textbox").count(), 0, "fields");
    await other.page.getByRole("link", { name: "API keys" }).click();
    await other.page.getByRole("button", { name: "Create a key" }).click();
    await other.page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill("Another");
    await other.page.getByRole("dialog").getByRole("button", { name: "Create", exact: true }).click();
    await other.page.getByText("Choose at least one: you are limited to some projects yourself.").waitFor();
    quiet(other, /status of 401/);
    await other.context.close();
  });
  for (const [role, own, allowed] of [["viewer", VIEWER_KEY, ["Your session"]], ["editor", EDITOR_KEY, ["Projects", "Your session"]]]) {
    await check(`what is not for ${role}s is not offered to one`, async () => {
      const other = await visit(browser);
      await other.page.goto(`${base}/administration/keys`);
      await signIn(other.page, own);
      await other.page.getByRole("heading", { name: "Your role does not include this" }).waitFor();
      equal(await other.page.getByRole("navigation").getByRole("link").allInnerTexts(), allowed, "the sections");
      await look.once(other.page, role);
      await other.page.getByRole("button", { name: /^Account/ }).click();
      await other.page.getByRole("menuitem", { name: "Your session" }).waitFor();
      equal(await other.page.getByRole("menuitem", { name: "Administration" }).count(), 0, "entries for administrators");
      await other.page.keyboard.press("Escape");
      const asked = other.requests.filter(({ pathname }) => pathname === "/graphql").length;
      assert(asked < 10, `${asked} requests`);
      quiet(other, /status of 401/);
      await other.context.close();
    });
  }
});
