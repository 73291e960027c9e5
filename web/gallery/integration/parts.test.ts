import assert from "node:assert/strict";
import test from "node:test";
import { type Part, parse } from "./parts";

/** Elements as their tags around what is in them. */
function outline(parts: Part[]): string {
  return parts.map((part) => (typeof part === "string" ? part : `${part.tag}${part.attributes.href === undefined ? "" : `=${part.attributes.href}`}(${outline(part.parts)})`)).join("");
}
const said = (markdown: string) => outline(parse(markdown));

test("Markdown becomes elements", () => {
  assert.equal(said("# Plan\n\nSome *fine* **words** and `code`"), "h1(Plan)p(Some em(fine) strong(words) and code(code))");
  assert.equal(said("## A\n#### B\n# C\n> ## D"), "h1(A)h2(B)h1(C)blockquote(h2(D))");
  assert.equal(said("- one\n- two\n  - deeper"), "ul(li(one)li(twoul(li(deeper))))");
  assert.equal(said("- one\n\n- two"), "ul(li(p(one))li(p(two)))");
  assert.equal(said("```\n<b>\n```"), "pre(code(<b>))");
  assert.equal(said("|a|\n|-|\n|b|"), "table(thead(tr(th(a)))tbody(tr(td(b))))");
});

test("HTML is text", () => {
  assert.equal(said('<script>alert(1)</script> <img src=x onerror="alert(1)">'), 'p(<script>alert(1)</script> <img src=x onerror="alert(1)">)');
  assert.equal(said("&lt;b&gt;"), "p(<b>)");
});

test("an image is a link to it", () => {
  assert.equal(said("![a cat](https://example.com/cat.png)"), "p(a=https://example.com/cat.png(Image: a cat))");
  assert.equal(said("![](https://example.com/cat.png)"), "p(a=https://example.com/cat.png(Image: without a description))");
});

test("links lead nowhere that runs a script", () => {
  assert.equal(said("[x](javascript:alert(1))"), "p([x](javascript:alert(1)))");
  assert.equal(said("[x](JaVaScRiPt:alert(1))"), "p([x](JaVaScRiPt:alert(1)))");
  assert.equal(said("[x](data:text/html,y)"), "p([x](data:text/html,y))");
  assert.equal(said("see https://example.com."), "p(see a=https://example.com(https://example.com).)");
});
