// Writes the providers' logos to dist/logos/<provider>.svg.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { siClickup, siGithub, siJira, siLinear } from "simple-icons";

const logos = { clickup: siClickup, github: siGithub, jira: siJira, linear: siLinear };

// The pages' backgrounds. WCAG asks for 3:1 of graphics.
const light = "ffffff", dark = "212a3b", contrast = 3;

const folder = join(import.meta.dirname, "../dist/logos");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [name, icon] of Object.entries(logos)) {
  writeFileSync(
    join(folder, `${name}.svg`),
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 24 24" fill="#${legible(icon.hex)}">` +
      `<title>${icon.title}</title><path d="${icon.path}"/></svg>\n`,
  );
}
console.log(`wrote ${Object.keys(logos).length} logos`);

/** The brand's colour, mixed with white or black until it can be seen on both backgrounds. */
function legible(hex) {
  for (let step = 0; step <= 100; step += 1) {
    for (const target of [255, 0]) {
      const mixed = mix(hex, target, step / 100);
      if (ratio(mixed, light) >= contrast && ratio(mixed, dark) >= contrast) return mixed;
    }
  }
  throw new Error(`no legible shade of #${hex}`);
}

function channels(hex) {
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function mix(hex, target, share) {
  return channels(hex)
    .map((value) => Math.round(value + (target - value) * share).toString(16).padStart(2, "0"))
    .join("");
}

/** Contrast as WCAG 2 defines it. */
function ratio(a, b) {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

function luminance(hex) {
  const [r, g, b] = channels(hex).map((value) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
