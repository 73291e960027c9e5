// The page on a phone and on a desk, by day and by night: nothing is cut off, and axe-core finds nothing in what is ours,
// which is all but GraphiQL and its editors. Screenshots are for people to look at.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { assert, base, check, complaint, equal, paste, quiet, ready, run, scenario, signIn, signInWith, status, visit } from "./browser.mjs";

const folder = join(import.meta.dirname, "../screenshots");
mkdirSync(folder, { recursive: true });

await scenario(async (browser) => {
  for (const [width, height] of [[375, 812], [1440, 900]]) {
    for (const colorScheme of ["light", "dark"]) {
      const visitor = await visit(browser, { viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
      const { page } = visitor;
      const shot = (state) =>
        check(`${width} px, ${colorScheme}, ${state}`, async () => {
          await page.screenshot({ path: join(folder, `${width}-${colorScheme}-${state}.png`) });
          const beyond = await page.evaluate(() =>
            [document.documentElement, ...document.querySelectorAll(".account, .account *, main, .graphiql-container, .graphiql-execute-button")]
              .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
              .map((e) => e.outerHTML.slice(0, 80)),
          );
          assert(beyond.length === 0, beyond);
          assert(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page scrolls sideways");
          await page.evaluate(axe.source);
          const { violations } = await page.evaluate(() =>
            window.axe.run({ exclude: [".graphiql-container", ".monaco-aria-container"] }, { resultTypes: ["violations"] }),
          );
          const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" ")}`);
          equal(found, [], "what axe found");
        });

      await page.goto(`${base}/graphiql`);
      await status(page, /Not signed in/);
      await ready(page);
      await shot("signed-out");
      await paste(page, "two words");
      await complaint(page, /API key/);
      await shot("complaint");
      await paste(page, `pb_${"a".repeat(52)}`);
      await status(page, /API key refused/);
      await shot("refused");
      await signInWith(page, process.env.ADMIN_KEY, /ADMIN of local/);
      await run(page, "WhoAmI");
      await shot("signed-in");
      await page.getByRole("button", { name: /Documentation Explorer/ }).click();
      await page.locator(".graphiql-plugin").getByText("Query").first().waitFor();
      await shot("documentation");
      if (width === 375 && colorScheme === "light") { // the link works once
        await check("the link signs in", () => signIn(page));
        await shot("session");
      }
      await check(`${width} px, ${colorScheme}: the developer tools show nothing`, () => quiet(visitor));
      await visitor.context.close();
    }
  }

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
