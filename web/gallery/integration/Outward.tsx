import { Anchor } from "@mantine/core";
import type { ReactNode } from "react";

/** A link to elsewhere, in a page of its own. What is no address of the web or of mail is shown as text: it may be anything. */
export function Outward({ href, label, children }: { href: string; label?: string; children: ReactNode }) {
  if (!/^(https?:|mailto:)/i.test(href)) return children;
  return (
    <Anchor href={href} inherit target="_blank" rel="noopener noreferrer nofollow" {...(label ? { "aria-label": label } : {})}>
      {children}
    </Anchor>
  );
}
