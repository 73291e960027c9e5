// The link that the server prints: it signs one browser in, once.
import { assert, base, check, equal, quiet, ready, scenario, status, visit } from "./browser.mjs";

const link = process.env.SIGN_IN_LINK;

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page, context } = visitor;

  await check("the link leads to the first page, and GraphiQL knows one as ADMIN of local", async () => {
    await page.goto(link);
    equal(new URL(page.url()).pathname, "/", "the path");
    await page.goto(`${base}/graphiql`);
    const text = await status(page, /Signed in as/);
    assert(/\(ADMIN of local\)/.test(text), text);
    equal(await page.title(), "Patchbay GraphiQL", "the title");
    await ready(page);
  });

  await check("the token is not in the address, nor in what is sent on", async () => {
    const token = new URL(link).searchParams.get("token");
    const mentions = visitor.requests.filter((url) => url.href.includes(token)).map((url) => url.pathname);
    equal(mentions, ["/sign-in"], "where the token was sent");
    equal(await page.evaluate(() => document.referrer), "", "the referrer");
  });

  await check("the session's cookie is kept from scripts and other sites", async () => {
    const cookies = await context.cookies();
    equal(cookies.map(({ httpOnly, sameSite, path }) => ({ httpOnly, sameSite, path })), [{ httpOnly: true, sameSite: "Lax", path: "/" }], "the cookie");
    equal(await page.evaluate(() => document.cookie), "", "document.cookie");
  });

  await check("another page of the browser is signed in as well", async () => {
    const other = await context.newPage();
    await other.goto(`${base}/graphiql`);
    await status(other, /ADMIN of local/);
    await other.close();
  });

  await check("the developer tools show nothing", () => quiet(visitor));

  await check("the link is refused a second time, with what to do", async () => {
    const late = await visit(browser);
    const response = await late.page.goto(link);
    equal(response.status(), 403, "the status");
    const text = await late.page.locator("body").innerText();
    assert(/has been used or is too old/.test(text) && /apikey create/.test(text), text);
    equal(await late.context.cookies(), [], "the cookies");
    await late.page.goto(`${base}/graphiql`);
    await status(late.page, /Not signed in/);
  });
});
