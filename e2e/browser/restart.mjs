// The server ends and starts again while a page is open.
import { ask, check, equal, openTab, quiet, run, scenario, serverAway, signIn, status, visit } from "./browser.mjs";

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page } = visitor;
  await check("the link signs in", () => signIn(page));
  await check("a project is made", async () => {
    await openTab(page, "CreateProject");
    equal((await run(page, "CreateProject")).errors, undefined, "errors");
  });

  await ask("stop");
  await check("without the server, the page says so", async () => {
    await page.getByRole("button", { name: /^Execute query/ }).click();
    await page.locator(".graphiql-response").getByText("The server cannot be reached.").waitFor();
  });
  await ask("start");

  const found = async () => {
    await openTab(page, "WhoAmI");
    const { errors, data } = await run(page, "WhoAmI");
    equal(errors, undefined, "errors");
    equal(data.projects.nodes.map(({ name }) => name).sort(), ["First project", "My project"], "the projects");
  };
  await check("the open page goes on with its session and finds the data", found);
  await check("so does a new one", async () => {
    await page.reload();
    await status(page, /ADMIN of local/);
    await found();
  });
  await check("the developer tools show the refused connection alone", () => quiet(visitor, serverAway));
});
