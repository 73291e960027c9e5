// Signing in at an OpenID provider, being signed out from elsewhere, and signing out: over http on this machine, and over
// https behind a proxy.
import { ask, assert, base, check, equal, keepsNoSecret, openTab, quiet, ready, run, scenario, status, visit } from "./browser.mjs";

const { OPENID_PROVIDER, OPENID_PASSWORD, OPENID_COOKIE } = process.env;
const secure = base.startsWith("https:");

await scenario(async (browser) => {
  const visitor = await visit(browser, { ignoreHTTPSErrors: true });
  const { page, context } = visitor;
  const ours = async () => (await context.cookies(base)).filter(({ name }) => name.includes("patchbay"));
  const jane = /oidc:jane \(jane@example\.com\) \(EDITOR of local\)/;

  async function logIn() {
    await page.getByLabel("Name").fill("jane");
    await page.getByLabel("Password").fill(OPENID_PASSWORD);
    await page.getByRole("button", { name: "Log in" }).click();
    await status(page, jane);
    await ready(page);
  }

  await check("GraphiQL leads to the provider", async () => {
    await page.goto(`${base}/graphiql`);
    await status(page, /Not signed in/);
    await page.getByRole("link", { name: "sign in" }).click();
    await page.getByLabel("Name").waitFor();
    equal(new URL(page.url()).origin, OPENID_PROVIDER, "the origin");
  });

  await check("the provider's form leads back, signed in", async () => {
    await logIn();
    equal(page.url(), `${base}/graphiql`, "the address");
    equal(await page.evaluate(() => document.referrer), "", "the referrer");
  });

  await check("the session's cookie is kept from scripts, other sites and other hosts", async () => {
    const cookies = (await ours()).map(({ name, httpOnly, sameSite, path, secure }) => ({ name, httpOnly, sameSite, path, secure }));
    equal(cookies, [{ name: OPENID_COOKIE, httpOnly: true, sameSite: "Lax", path: "/", secure }], "the cookies");
    await keepsNoSecret(page, [OPENID_PASSWORD, (await ours())[0].value]);
  });

  await check("an operation runs as who signed in", async () => {
    await openTab(page, "WhoAmI");
    const { data } = await run(page, "WhoAmI");
    equal([data.viewer.subject, data.viewer.orgId, data.viewer.role], ["oidc:jane (jane@example.com)", "local", "EDITOR"], "the viewer");
  });

  await check("a session that was revoked shows as signed out", async () => {
    await ask("revoke");
    const { errors } = await run(page, "WhoAmI");
    equal(errors[0].extensions.code, "UNAUTHENTICATED", "the code");
    await page.reload();
    await status(page, /Not signed in/);
  });

  await check("one signs in again", async () => {
    await page.getByRole("link", { name: "sign in" }).click();
    await logIn();
  });

  await check("one signs out", async () => {
    const before = (await ours())[0];
    await page.getByRole("button", { name: "Sign out" }).click();
    await status(page, /Not signed in/);
    equal(page.url(), `${base}/graphiql`, "the address");
    equal(await ours(), [], "the cookies");
    await context.addCookies([before]); // as somebody who has copied it
    await page.reload();
    await status(page, /Not signed in/);
  });

  await check("who may do nothing here is told which claim is missing", async () => {
    await page.goto(`${base}/sign-in`);
    await page.getByLabel("Name").fill("guest");
    await page.getByLabel("Password").fill(OPENID_PASSWORD);
    const [response] = await Promise.all([
      page.waitForResponse((response) => new URL(response.url()).pathname === "/sign-in/callback"),
      page.getByRole("button", { name: "Log in" }).click(),
    ]);
    equal(response.status(), 403, "the status");
    await page.getByText('its claim "role" must be').waitFor();
    const text = await page.locator("body").innerText();
    assert(text.includes(`${base}/sign-in`), text);
  });

  // The refusal is plain text, for which the browser looks for an icon.
  await check("the developer tools show nothing", () =>
    quiet(visitor, new RegExp(`request to elsewhere: ${OPENID_PROVIDER}`), /status of 403 .*\/sign-in\/callback/, /status of 404 .*\/favicon\.ico/));
});
