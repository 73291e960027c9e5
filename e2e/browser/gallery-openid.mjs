// The gallery where people sign in at an OpenID provider: they come back to where they were, also when a session ends while
// its page is open.
import { ask, base, check, equal, place, quiet, scenario, visit } from "./browser.mjs";

const { OPENID_PROVIDER, OPENID_PASSWORD } = process.env;
const address = `${base}/administration/projects?project=`;

async function logIn(page) {
  await page.getByLabel("Name").fill("jane");
  await page.getByLabel("Password").fill(OPENID_PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
}

await scenario(async (browser) => {
  const visitor = await visit(browser, { ignoreHTTPSErrors: true });
  const { page, context } = visitor;
  let here;

  await check("signing in leads back to the page that was asked for", async () => {
    await page.goto(`${base}/administration/projects`);
    await page.getByRole("link", { name: "Sign in" }).click();
    await logIn(page);
    await page.getByRole("link", { name: /^Open / }).waitFor();
    equal(place(page), "/administration/projects", "the address");
    await page.getByRole("link", { name: /^Open / }).click();
    here = `${address}${new URL(page.url()).searchParams.get("project")}`;
    await page.goto(here);
    await page.getByLabel("A new project’s name").fill("Half typed");
  });

  await check("a session that ends is begun anew beside the page, which goes on", async () => {
    await ask("revoke");
    const dialog = page.getByRole("dialog", { name: "Your session has ended" });
    await dialog.waitFor();
    const [tab] = await Promise.all([context.waitForEvent("page"), dialog.getByRole("link", { name: "Sign in" }).click()]);
    await logIn(tab);
    await tab.getByRole("link", { name: /^Open / }).waitFor();
    equal(tab.url(), here, "the other tab's address");
    await tab.close();
    await page.evaluate(() => window.dispatchEvent(new Event("focus"))); // a browser without windows tells none
    await dialog.waitFor({ state: "detached" });
    equal([page.url(), await page.getByLabel("A new project’s name").inputValue()], [here, "Half typed"], "the page");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText("The project Half typed was made.").waitFor();
    equal(await page.getByRole("alert").count(), 0, "complaints");
  });

  await check("the developer tools show the refusals alone", () => quiet(visitor, new RegExp(`request to elsewhere: ${OPENID_PROVIDER}`), /status of 401/));
});
