import MarkdownIt, { type Token } from "markdown-it";

/** A piece of a text: words, or an element with what is in it. */
export type Part = string | { tag: string; attributes: Record<string, string>; parts: Part[] };

// HTML is text like any other.
const parser = new MarkdownIt({ html: false, linkify: true });

/** Reads Markdown into elements. What an image shows is kept, as a link to it. */
export function parse(markdown: string): Part[] {
  return level(nest(parser.parse(markdown, {})), []);
}

/** Headings by how deep they are below others: nobody's first heading has to be of the first level. */
function level(parts: Part[], above: number[]): Part[] {
  return parts.map((part) => {
    if (typeof part === "string") return part;
    const heading = /^h([1-6])$/.exec(part.tag);
    if (!heading) return { ...part, parts: level(part.parts, above) };
    const own = Number(heading[1]);
    while ((above.at(-1) ?? 0) >= own) above.pop();
    above.push(own);
    return { ...part, tag: `h${above.length}` };
  });
}

function nest(tokens: Token[]): Part[] {
  const root: Part[] = [];
  const open = [root];
  for (const token of tokens) {
    const parts = open.at(-1) ?? root;
    if (token.nesting === -1) {
      if (!token.hidden) open.pop();
    } else if (token.nesting === 1) {
      if (token.hidden) continue; // the paragraphs of a tight list
      const element = { tag: token.tag, attributes: attributes(token), parts: [] as Part[] };
      parts.push(element);
      open.push(element.parts);
    } else {
      parts.push(...leaf(token));
    }
  }
  return root;
}

function leaf(token: Token): Part[] {
  switch (token.type) {
    case "inline":
      return nest(token.children ?? []);
    case "softbreak":
      return ["\n"];
    case "fence":
    case "code_block":
      return [{ tag: "pre", attributes: {}, parts: [{ tag: "code", attributes: {}, parts: [token.content.replace(/\n$/, "")] }] }];
    case "image":
      return [{ tag: "a", attributes: { href: String(token.attrGet("src") ?? "") }, parts: [`Image: ${token.content || "without a description"}`] }];
    case "code_inline":
      return [{ tag: "code", attributes: {}, parts: [token.content] }];
    case "hardbreak":
    case "hr":
      return [{ tag: token.tag, attributes: {}, parts: [] }];
    default:
      return token.content ? [token.content] : [];
  }
}

function attributes(token: Token): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["href", "start"]) {
    const value = token.attrGet(name);
    if (value !== null) kept[name] = String(value);
  }
  return kept;
}
