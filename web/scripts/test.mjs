// Runs the unit tests (gallery/**/*.test.ts): Vite makes JavaScript of them, which the oldest Node.js that we take runs.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";

const root = join(import.meta.dirname, "..");
const outDir = join(root, "node_modules/.cache/tests");
const tests = readdirSync(join(root, "gallery"), { recursive: true }).filter((name) => name.endsWith(".test.ts"));

await build({
  root: join(root, "gallery"),
  configFile: false,
  logLevel: "warn",
  build: {
    ssr: true,
    outDir,
    emptyOutDir: true,
    rolldownOptions: {
      input: Object.fromEntries(tests.map((name) => [name.replace(/\.ts$/, "").replaceAll("/", "-"), join(root, "gallery", name)])),
    },
  },
});
const files = readdirSync(outDir).filter((name) => name.includes(".test")).map((name) => join(outDir, name));
const { status } = spawnSync(process.execPath, ["--test", "--test-reporter=dot", ...files], { stdio: "inherit" });
process.exit(status ?? 1);
