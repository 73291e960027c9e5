// Without the link: API keys that are pasted, forgotten, wrong, or allowed little.
import { assert, base, check, complaint, equal, forget, keepsNoSecret, openTab, paste, quiet, ready, run, scenario, signInWith, status, visit } from "./browser.mjs";

const { EDITOR_KEY, VIEWER_KEY } = process.env;
const unknown = `pb_${"a".repeat(52)}`;

await scenario(async (browser) => {
  const visitor = await visit(browser);
  const { page } = visitor;

  await check("a visitor reads that they are not signed in, and what to do", async () => {
    await page.goto(`${base}/graphiql`);
    const text = await status(page, /Not signed in/);
    assert(/open the link/.test(text) && /paste an API key/.test(text), text);
    await ready(page);
  });
  await check("an operation is refused with UNAUTHENTICATED", async () => {
    const { errors } = await run(page, "WhoAmI");
    equal(errors[0].extensions.code, "UNAUTHENTICATED", "the code");
  });
  await check("an empty field is pointed out", async () => {
    await page.getByRole("button", { name: "Use" }).click();
    await complaint(page, "Paste an API key first.");
  });
  await check("a text that cannot be a key is pointed out", async () => {
    await paste(page, "two words");
    await complaint(page, "no spaces");
  });
  await check("a wrong key is refused plainly", async () => {
    await paste(page, unknown);
    const text = await status(page, /API key refused/);
    assert(/mistyped, revoked or expired/.test(text), text);
  });
  await check("a good key signs in and is not shown", async () => {
    await signInWith(page, EDITOR_KEY, /EDITOR of local/);
    equal(await page.getByLabel("API key").inputValue(), "", "the field");
    assert(!(await page.content()).includes(EDITOR_KEY), "the key is in the page");
  });
  await check("the key's requests work", async () => {
    await openTab(page, "CreateProject");
    const answer = await run(page, "CreateProject");
    equal(answer.errors, undefined, "errors");
  });
  await check("the key is stored nowhere", () => keepsNoSecret(page, [EDITOR_KEY]));
  await check("a forgotten key is gone", async () => {
    await forget(page);
    await status(page, /Not signed in/);
    const { errors } = await run(page, "CreateProject");
    equal(errors[0].extensions.code, "UNAUTHENTICATED", "the code");
  });
  await check("a VIEWER's change is refused with FORBIDDEN", async () => {
    await signInWith(page, VIEWER_KEY, /VIEWER of local/);
    const { errors } = await run(page, "CreateProject");
    equal(errors[0].extensions.code, "FORBIDDEN", "the code");
    await page.locator(".graphiql-response").getByText('"FORBIDDEN"').waitFor();
  });
  await check("a key does not outlive the page", async () => {
    await page.reload();
    await status(page, /Not signed in/);
  });
  await check("the developer tools show nothing", () => quiet(visitor));
});
