// GraphiQL's editors under the content security policy: workers complete and check, and nothing leaves the origin.
import { assert, base, check, keepsNoSecret, openTab, quiet, scenario, signIn, timeout, visit } from "./browser.mjs";

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page, context, requests } = visitor;
  await check("the link signs in", () => signIn(page));

  await check("fields are completed", async () => {
    await page.getByRole("button", { name: "New tab" }).click();
    await page.locator(".graphiql-query-editor .view-lines").click();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("query Mine { vie");
    const suggested = page.locator(".suggest-widget.visible").getByText("viewer").first();
    // The worker has nothing to suggest before it has the schema.
    for (const end = Date.now() + timeout; !(await suggested.isVisible()) && Date.now() < end; await page.waitForTimeout(500)) {
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+Space");
      await page.waitForTimeout(500);
    }
    await page.keyboard.press("Enter");
    await page.locator(".graphiql-query-editor .view-lines").getByText("viewer").waitFor();
  });
  await check("mistakes are underlined", async () => {
    await page.locator(".graphiql-query-editor .squiggly-error").first().waitFor();
  });
  await check("both languages' workers run", async () => {
    await openTab(page, "WhoAmI"); // it has variables, which are JSON
    const running = () => page.workers().map((worker) => new URL(worker.url()).pathname);
    for (const language of ["graphql", "json"]) {
      const found = () => running().some((name) => name.includes(`/${language}.worker`));
      // A worker starts once there is something to check, which takes a busy machine a while.
      for (const end = Date.now() + timeout; !found() && Date.now() < end; ) await page.waitForTimeout(50);
      assert(found(), running());
    }
  });
  await check("the documentation opens", async () => {
    await page.getByRole("button", { name: /Documentation Explorer/ }).click();
    await page.locator(".graphiql-plugin").getByText("Query").first().waitFor();
  });
  await check("pages and workers carry the policy", async () => {
    for (const path of ["/graphiql", ...requests.map((url) => url.pathname).filter((path) => path.includes(".worker"))]) {
      const policy = (await fetch(base + path, { method: "HEAD" })).headers.get("content-security-policy") ?? "";
      assert(policy.includes("default-src 'none'") && policy.includes("script-src 'self';"), `${path}: ${policy}`);
    }
  });
  await check("the browser stores no secret", async () => keepsNoSecret(page, (await context.cookies()).map(({ value }) => value)));
  await check("the developer tools show nothing", () => quiet(visitor));
});
