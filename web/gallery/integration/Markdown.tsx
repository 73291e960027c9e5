import { VisuallyHidden } from "@mantine/core";
import { createElement, type ReactNode, useMemo } from "react";
import classes from "./integration.module.css";
import { type Part, parse } from "./parts";
import { Outward } from "./Outward";

/** Somebody else's Markdown as elements: no HTML of theirs, and nothing that is loaded from elsewhere. */
export function Markdown({ text }: { text: string }) {
  const parts = useMemo(() => parse(text), [text]);
  return <div className={classes.markdown}>{parts.map(show)}</div>;
}

const plain = new Set(["p", "ul", "li", "blockquote", "pre", "code", "em", "strong", "s", "table", "thead", "tbody", "tr", "th", "td"]);

function show(part: Part, key: number): ReactNode {
  if (typeof part === "string") return part;
  const { tag, attributes, parts } = part;
  if (tag === "br" || tag === "hr") return createElement(tag, { key });
  const children = parts.map(show);
  if (tag === "a") {
    return (
      <Outward key={key} href={attributes.href ?? ""}>
        {children}
      </Outward>
    );
  }
  if (tag === "li") {
    const item = task(parts);
    return (
      <li key={key} className={item ? classes.task : undefined}>
        {item ?? children}
      </li>
    );
  }
  if (tag === "ol") return <ol key={key} start={Number(attributes.start ?? 1)}>{children}</ol>;
  // Below the headings of the drawer that it is shown in.
  if (/^h[1-6]$/.test(tag)) return createElement(`h${Math.min(6, Number(tag.charAt(1)) + 3)}`, { key }, ...children);
  return plain.has(tag) ? createElement(tag, { key }, ...children) : children;
}

/** An item of a task list. */
function task([first, ...rest]: Part[]): ReactNode {
  const mark = typeof first === "string" ? /^\[([ xX])\] /.exec(first) : null;
  if (!mark || typeof first !== "string") return null;
  const done = mark[1] !== " ";
  return (
    <>
      <span aria-hidden="true">{done ? "☑ " : "☐ "}</span>
      <VisuallyHidden>{done ? "Done: " : "To do: "}</VisuallyHidden>
      {[first.slice(4), ...rest].map(show)}
    </>
  );
}
