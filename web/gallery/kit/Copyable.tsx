import { ActionIcon, TextInput } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { useRef } from "react";
import { CheckIcon, CopyIcon } from "./icons";

/** A value to take elsewhere. Where the browser does not let the page copy (plain http), it is selected instead. */
export function Copyable({ label, value, description, autoFocus }: { label: string; value: string; description?: string; autoFocus?: boolean }) {
  const clipboard = useClipboard({ timeout: 2_000 });
  const input = useRef<HTMLInputElement>(null);
  function copy() {
    input.current?.select();
    clipboard.copy(value);
  }
  return (
    <TextInput
      ref={input}
      label={label}
      description={description}
      value={value}
      readOnly
      autoFocus={autoFocus}
      onFocus={(event) => event.currentTarget.select()}
      styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
      rightSection={
        <ActionIcon variant="subtle" color={clipboard.copied ? "teal" : "gray"} onClick={copy} aria-label={clipboard.copied ? `${label} copied` : `Copy ${label}`}>
          {clipboard.copied ? <CheckIcon /> : <CopyIcon />}
        </ActionIcon>
      }
    />
  );
}
