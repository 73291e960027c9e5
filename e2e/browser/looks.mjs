// The page on a phone and on a desk, by day and by night: nothing is cut off, and axe-core finds nothing in what is ours,
// which is all but GraphiQL and its editors. Screenshots are for people to look at.
import { check, base, complaint, equal, looker, paste, quiet, ready, run, scenario, signIn, signInWith, status, visit } from "./browser.mjs";

const look = looker("graphiql", { of: { exclude: [".graphiql-container", ".monaco-aria-container"] }, within: ".account, .account *, main, .graphiql-container, .graphiql-execute-button" });

await scenario(async (browser) => {
  const visitor = await visit(browser, { reducedMotion: "reduce" });
  const { page } = visitor;
  await page.goto(`${base}/graphiql`);
  await status(page, /Not signed in/);
  await ready(page);
  await look.all(page, "signed-out");
  await paste(page, "two words");
  await complaint(page, /API key/);
  await look.all(page, "complaint");
  await paste(page, `pb_${"a".repeat(52)}`);
  await status(page, /API key refused/);
  await look.all(page, "refused");
  await signInWith(page, process.env.ADMIN_KEY, /ADMIN of local/);
  await run(page, "WhoAmI");
  await look.all(page, "signed-in");
  await page.getByRole("button", { name: /Documentation Explorer/ }).click();
  await page.locator(".graphiql-plugin").getByText("Query").first().waitFor();
  await look.all(page, "documentation");
  await check("the link signs in", () => signIn(page));
  await look.all(page, "session");
  await check("the developer tools show nothing", () => quiet(visitor));

  await check("the bar is used by keyboard alone", async () => {
    const { page } = await visit(browser);
    await page.goto(`${base}/graphiql`);
    await status(page, /Not signed in/);
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement.labels?.[0]?.innerText ?? document.activeElement.innerText);
    equal(await focused(), "sign in", "the first stop");
    await page.keyboard.press("Tab");
    equal(await focused(), "API key", "the second stop");
    await page.keyboard.insertText(process.env.ADMIN_KEY);
    await page.keyboard.press("Enter");
    await status(page, /ADMIN of local/);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    equal(await focused(), "Forget", "the fourth stop");
    await page.keyboard.press("Enter");
    await status(page, /Not signed in/);
    equal(await focused(), "API key", "the focus after that");
  });
});
