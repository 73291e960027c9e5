import { Anchor } from "@mantine/core";
import { ExternalIcon } from "./icons";

/** A link that leaves this page; the other one learns nothing of ours. */
export function External({ href, children }: { href: string; children: string }) {
  return (
    <Anchor href={href} target="_blank" rel="noopener noreferrer" inherit underline="always" style={{ whiteSpace: "nowrap" }}>
      {children}
      <span style={{ display: "inline-block", marginLeft: 4 }}>
        <ExternalIcon size={11} />
      </span>
    </Anchor>
  );
}
