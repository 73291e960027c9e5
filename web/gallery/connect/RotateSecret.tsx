import { Anchor, Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import type { OperationResult } from "urql";
import { type Trouble, trouble } from "../errors";
import { Copyable } from "../kit/Copyable";
import { LockIcon } from "../kit/icons";
import { Problem } from "../kit/Problem";
import { exact } from "../kit/words";
import { Notice } from "./Notice";
import type { IssuedSecret, Provider } from "./operations";

interface Props {
  provider: Provider;
  registered: boolean;
  rotate(): Promise<OperationResult<{ rotateWebhookSecret: IssuedSecret }>>;
  rotating: boolean;
  disabled: boolean;
  issued: IssuedSecret | null;
  onIssued(secret: IssuedSecret | null): void;
}

/** Makes a new webhook secret, asks before, and shows it once. */
export function RotateSecret({ provider, registered, rotate, rotating, disabled, issued, onIssued }: Props) {
  const [asking, setAsking] = useState(false);
  const [found, setFound] = useState<Trouble | null>(null);

  async function go() {
    setFound(null);
    const { data, error } = await rotate();
    setFound(trouble(error));
    setAsking(false);
    if (data) onIssued(data.rotateWebhookSecret);
  }

  if (issued) {
    return (
      <Notice title="The new webhook secret" icon={<LockIcon />} role="status">
        <Text size="sm">
          It is shown only now, and will not come back. {registered ? `${provider.displayName} has it already.` : `Give it to ${provider.displayName} before the old one ends.`}
          {issued.previousValidUntil && ` The one before stays valid until ${exact(new Date(issued.previousValidUntil))}.`}
        </Text>
        <div style={{ alignSelf: "stretch" }}>
          <Copyable label="New webhook secret" value={issued.secret} />
        </div>
        <Button size="xs" variant="default" onClick={() => onIssued(null)}>
          I have copied it
        </Button>
      </Notice>
    );
  }
  return (
    <>
      {asking ? (
        <Group gap="xs" role="group" aria-label="Rotate the webhook secret">
          <Text size="sm">A new secret is made, and shown once. The present one stays valid for 24 hours.</Text>
          <Button size="xs" loading={rotating} disabled={disabled} onClick={() => void go()}>
            Rotate it
          </Button>
          <Button size="xs" variant="default" onClick={() => setAsking(false)}>
            Cancel
          </Button>
        </Group>
      ) : (
        <div>
          <Anchor component="button" type="button" size="sm" onClick={() => setAsking(true)}>
            Rotate the webhook secret…
          </Anchor>
        </div>
      )}
      {found && <Problem what="The secret could not be rotated" trouble={found} />}
    </>
  );
}
