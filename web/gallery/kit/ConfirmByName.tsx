import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, type SubmitEvent, useState } from "react";
import type { Trouble } from "../errors";
import { Dialog } from "./Dialog";
import { Problem } from "./Problem";

interface Props {
  /** Such as "Delete ClickUp?". */
  title: string;
  /** What has to be typed. */
  name: string;
  /** What the button says. */
  action: string;
  busy: boolean;
  trouble: Trouble | null;
  onConfirm(): void;
  onClose(): void;
  /** What goes with it. */
  children: ReactNode;
}

/** Asks for a name to be typed before something that cannot be undone. */
export function ConfirmByName({ title, name, action, busy, trouble, onConfirm, onClose, children }: Props) {
  const [typed, setTyped] = useState("");
  const same = typed.trim() === name.trim(); // pasted, it may bring a space
  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (same) onConfirm();
  }
  return (
    <Dialog onClose={onClose} title={title}>
      <form onSubmit={submit} autoComplete="off">
        <Stack>
          <Text size="sm" component="div">
            {children}
          </Text>
          <TextInput
            data-autofocus
            label={
              <>
                Type <strong>{name}</strong> to confirm
              </>
            }
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          {trouble && <Problem what={`${action} failed`} trouble={trouble} />}
          <Group justify="end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" color="red.9" loading={busy} disabled={!same}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
