// News that cross with what the gallery asks: what happens before its subscriptions have begun, and while an answer is on its way.
import { api, assert, base, check, quiet, scenario, visit } from "./browser.mjs";

const { SIGN_IN_LINK } = process.env;

/** Holds things back until they are let go. */
function gate() {
  let open = () => {};
  let shut;
  return {
    hold() {
      shut = new Promise((resolve) => (open = resolve));
    },
    release: () => open(),
    passed: () => shut,
  };
}

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page } = visitor;
  const project = (await api(`{ projects(orgId: "local") { nodes { id } } }`)).projects.nodes[0].id;
  const card = (name) => page.getByRole("article", { name, exact: true });
  const connect = (name, displayName) =>
    api(
      `mutation ($project: UUID!, $name: String!, $displayName: String!) { createIntegration(input: { orgId: "local", projectId: $project, name: $name, provider: "linear", displayName: $displayName }) { id } }`,
      { project, name, displayName },
    );

  const subscriptions = gate();
  let wanted = () => {};
  let told = () => {};
  await page.routeWebSocket(/\/graphql$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage(async (message) => {
      if (message.includes('"type":"subscribe"')) {
        wanted();
        await subscriptions.passed();
      }
      server.send(message);
    });
    server.onMessage((message) => {
      socket.send(message);
      if (message.includes('"integrationChanged"')) told();
    });
  });
  const answers = gate();
  let answered = () => {};
  await page.route(`${base}/graphql`, async (route) => {
    const response = await route.fetch();
    if (route.request().postDataJSON().operationName === "Gallery") {
      answered(await response.text());
      await answers.passed();
    }
    await route.fulfill({ response }).catch(() => {}); // the page asks for another one
  });
  const next = () => new Promise((resolve) => (answered = resolve));

  await check("what happens before its subscriptions have begun shows", async () => {
    subscriptions.hold();
    const subscribes = new Promise((resolve) => (wanted = resolve));
    await page.goto(SIGN_IN_LINK);
    await card("Jira").waitFor();
    await subscribes;
    await page.waitForTimeout(1_500); // whatever it does meanwhile to be sure, this comes later
    await connect("early", "Early");
    await page.waitForTimeout(1_500);
    subscriptions.release();
    await card("Early").waitFor();
  });

  await check("an answer that was on its way does not undo what was told", async () => {
    await page.getByRole("link", { name: "Early" }).first().click();
    await page.getByRole("heading", { name: "Early", level: 1 }).waitFor();
    answers.hold();
    const first = next();
    await page.goBack();
    await first;
    await next(); // once its subscription has begun
    let last;
    answered = (text) => (last = text);
    const heard = new Promise((resolve) => (told = resolve));
    await connect("late", "Late");
    await heard;
    assert(last === undefined, "the gallery is asked for before the answer came");
    answers.release();
    await card("Late").waitFor();
    await card("Early").waitFor();
    assert(last.includes("Late"), "it was not asked for again");
  });

  await check("the developer tools show nothing", () => quiet(visitor));
});
