// The example operations that GraphiQL opens with, one after the other, as a newcomer runs them.
import { assert, check, equal, openTab, quiet, run, scenario, keepsNoSecret, send, setVariables, signIn, visit } from "./browser.mjs";

const token = process.env.CLICKUP_TOKEN;
const session = (cookies) => cookies.map(({ value }) => value);

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page, context } = visitor;
  await check("the link signs in", () => signIn(page));

  const answers = [];
  async function example(name, look, prepare) {
    return check(name, async () => {
      await openTab(page, name);
      if (prepare) await prepare();
      const answer = await run(page, name);
      answers.push(JSON.stringify(answer));
      equal(answer.errors, undefined, "errors");
      return look(answer.data);
    });
  }

  await example("WhoAmI", ({ viewer, projects }) => {
    equal([viewer.orgId, viewer.role, viewer.projectIds], ["local", "ADMIN", null], "the viewer");
    equal(projects.nodes.map(({ name }) => name), ["First project"], "the projects");
  });
  await example("Catalogue", ({ providers }) => {
    equal(providers.map(({ name }) => name).sort(), ["clickup", "github", "jira", "linear"], "the providers");
    for (const { name, secretSettings, settingsSchema } of providers) {
      assert(secretSettings.length > 0 && settingsSchema.properties[secretSettings[0]], `${name} declares no secret`);
    }
  });
  await example("CreateProject", ({ createProject }) => equal(createProject.name, "My project", "the name"));
  await example(
    "CreateIntegration",
    ({ createIntegration: made }) => {
      equal(made.configuredSecrets, ["api_token"], "the configured secrets");
      equal([made.hasConfiguration, made.settings.workspace_id, made.revision], [true, "9000000000", 1], "the integration");
    },
    () => setVariables(page, (variables) => (variables.input.settings.api_token = token)),
  );
  await example("Integrations", ({ integrations }) => {
    equal(integrations.totalCount, 1, "the count");
    equal(integrations.nodes[0].name, "clickup", "the name");
  });
  await example("UpdateIntegration", ({ updateIntegration: changed }) => {
    equal([changed.revision, changed.description], [2, "Tasks of the product team"], "the integration");
    equal(changed.settings.import_comments, false, "import_comments");
    equal(changed.configuredSecrets, ["api_token"], "the configured secrets");
  });
  await example("DeleteIntegration", ({ deleteIntegration }) => assert(deleteIntegration, "no id"));
  const key = await example("CreateApiKey", ({ createApiKey }) => createApiKey.key);

  await check("FollowProject", async () => {
    await openTab(page, "FollowProject");
    const began = page.waitForResponse((response) => response.request().postDataJSON()?.operationName === "FollowProject");
    await page.getByRole("button", { name: /^Execute query/ }).click();
    const stream = await began;
    equal(stream.headers()["content-type"], "text/event-stream; charset=utf-8", "the media type");
    await page.evaluate(changeState);
    const response = page.locator(".graphiql-response .view-lines");
    await response.getByText('"syncStateChanged"').waitFor();
    await response.getByText('"PENDING"').waitFor();
    const ended = page.waitForEvent("requestfailed", (request) => request === stream.request());
    await page.getByRole("button", { name: /^Stop query/ }).click();
    await ended;
    await page.getByRole("button", { name: /^Execute query/ }).waitFor();
  });

  await check("the new key works for a program", async () => {
    const { data } = await send("{ viewer { role orgId } }", {}, key);
    equal(data.viewer, { role: "VIEWER", orgId: "local" }, "the viewer");
  });
  await check("no answer holds the token", () => assert(!answers.join().includes(token), "one does"));
  await check("the browser stores no secret", async () => keepsNoSecret(page, [token, key, ...session(await context.cookies())]));
  await check("the developer tools show nothing", () => quiet(visitor));
});

/** Runs in the page: gives the first project an integration whose state changes, until somebody may have heard of it. */
async function changeState() {
  const ask = async (query, variables) => {
    const body = JSON.stringify({ query, variables });
    const response = await fetch("/graphql", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const answer = await response.json();
    if (answer.errors) throw new Error(answer.errors[0].message);
    return answer.data;
  };
  const projectId = (await ask(`{ projects(orgId: "local", first: 1) { nodes { id } } }`)).projects.nodes[0].id;
  const make = `mutation ($p: UUID!) { createIntegration(input: {orgId: "local", projectId: $p, name: "linear"}) { id } }`;
  const { id } = (await ask(make, { p: projectId })).createIntegration;
  const map = `mutation ($id: UUID!, $to: String!) {
    updateSyncMappings(integrationId: $id, mappings: [{ kind: SPACE, externalId: "1", target: $to }]) { id }
  }`;
  for (const to of ["2", "3"]) await ask(map, { id, to });
}
