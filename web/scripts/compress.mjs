// Writes a .gz beside every built file that gets smaller by it.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

const dist = join(import.meta.dirname, "../dist");
const compressible = new Set([".css", ".html", ".js", ".json", ".md", ".svg", ".ttf", ".txt"]);
let count = 0, before = 0, after = 0;

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !compressible.has(extname(entry.name))) continue;
  const path = join(entry.parentPath, entry.name);
  const plain = readFileSync(path);
  const packed = gzipSync(plain, { level: 9 });
  rmSync(`${path}.gz`, { force: true });
  if (packed.length >= plain.length * 0.95) continue;
  writeFileSync(`${path}.gz`, packed);
  count += 1;
  before += plain.length;
  after += packed.length;
}
console.log(`compressed ${count} files: ${kilobytes(before)} to ${kilobytes(after)}`);

function kilobytes(bytes) {
  return `${Math.round(bytes / 1024)} KB`;
}
