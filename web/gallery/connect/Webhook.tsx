import { Anchor, Button, Checkbox, Collapse, Group, Stack, Text } from "@mantine/core";
import { useId, useState } from "react";
import { useMutation, type UseMutationResponse } from "urql";
import { Link } from "wouter";
import { type Trouble, trouble } from "../errors";
import { Copyable } from "../kit/Copyable";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import classes from "./connect.module.css";
import { type Integration, type IssuedSecret, RegisterWebhook } from "./operations";
import { RotateSecret } from "./RotateSecret";
import { SecretField } from "./SecretField";
import type { Configuration } from "./useConfiguration";

interface Props {
  form: Configuration;
  /** As it is known to be now; null before it is saved. */
  integration: Integration | null;
  rotation: UseMutationResponse<{ rotateWebhookSecret: IssuedSecret }, { integrationId: string }>;
  issued: IssuedSecret | null;
  onIssued(secret: IssuedSecret | null): void;
}

/** Where the provider tells of changes: set up by this server, or by hand. */
export function Webhook({ form, integration, rotation: [{ fetching: rotating }, rotate], issued, onIssued }: Props) {
  const { provider, lacking, withWebhook, setWithWebhook } = form;
  const { supportsWebhookRegistration } = provider.capabilities;
  const { mayAdminister } = useRole();
  const address = useAddress();
  const [{ fetching: settingUp }, register] = useMutation(RegisterWebhook);
  const [found, setFound] = useState<Trouble | null>(null);

  if (!integration?.webhook) {
    if (!supportsWebhookRegistration) return <Text size="sm">Once this is saved, its webhook's address is shown here.</Text>;
    return (
      <Checkbox
        label={`Have ${provider.displayName} tell of changes`}
        description={
          lacking.length > 0
            ? `Needed first: ${lacking.map(({ title }) => title).join(", ")}.`
            : "Sets up a webhook when this is saved. This server has to be reachable from the Internet for it."
        }
        disabled={lacking.length > 0}
        checked={withWebhook}
        onChange={(event) => setWithWebhook(event.currentTarget.checked)}
      />
    );
  }

  const { webhook, hasConfiguration, id } = integration;
  async function setUp() {
    setFound(null);
    const { error } = await register({ integrationId: id });
    setFound(trouble(error));
  }
  return (
    <Stack gap="sm">
      <Group gap="sm" justify="space-between">
        <div className={classes.state} data-tone={webhook.registered || webhook.lastDeliveryAt ? "good" : "quiet"}>
          <span className={classes.dot} aria-hidden="true" />
          <span>
            <Standing webhook={webhook} />{" "}
            <Anchor component={Link} href={address.page(`/integrations/${id}/webhooks`)} inherit underline="always">
              Deliveries
            </Anchor>
          </span>
        </div>
        {supportsWebhookRegistration && (
          <Button size="xs" variant="default" loading={settingUp} disabled={!hasConfiguration || rotating} onClick={() => void setUp()}>
            {webhook.registered ? "Repair" : `Set up at ${provider.displayName}`}
          </Button>
        )}
      </Group>
      {supportsWebhookRegistration && !hasConfiguration && (
        <Text size="xs" c="dimmed">
          Save the credentials and what else is required first.
        </Text>
      )}
      {found && <Problem what="The webhook could not be set up" trouble={found} />}
      <Copyable label="Webhook address" description={webhook.registered ? `${provider.displayName} has it.` : `Where ${provider.displayName} is to send what changes.`} value={webhook.url} />
      {!webhook.registered && <ByHand form={form} hasSecret={webhook.hasSecret} />}
      {mayAdminister && (
        <RotateSecret
          provider={provider}
          registered={webhook.registered}
          rotate={() => rotate({ integrationId: id })}
          rotating={rotating}
          // The server changes a webhook for one at a time.
          disabled={settingUp}
          issued={issued}
          onIssued={onIssued}
        />
      )}
    </Stack>
  );
}

function Standing({ webhook: { registered, lastDeliveryAt } }: { webhook: NonNullable<Integration["webhook"]> }) {
  if (!registered && !lastDeliveryAt) return "Not set up: changes come with the next sync only.";
  return (
    <>
      {registered ? "Registered" : "Set up by hand"},{" "}
      {lastDeliveryAt ? (
        <>
          last delivery <When at={lastDeliveryAt} />.
        </>
      ) : (
        "nothing delivered yet."
      )}
    </>
  );
}

/** For a webhook that somebody made at the third party, which gave it a secret. */
function ByHand({ form: { provider, draft, complaints, change }, hasSecret }: { form: Configuration; hasSecret: boolean }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const error = complaints.fields.webhookSecret;
  const shown = open || error !== undefined || draft.webhookSecret !== undefined;
  return (
    <div>
      <Anchor component="button" type="button" size="sm" onClick={() => setOpen(!shown)} aria-expanded={shown} aria-controls={id}>
        Set up by hand?
      </Anchor>
      <Collapse expanded={shown} id={id}>
        <Stack gap={0} mt="xs">
          {shown && (
            <SecretField
              id="webhook-secret"
              label="Webhook secret"
              description={`The secret that ${provider.displayName} issued with the webhook, or what its messages are signed with.`}
              set={hasSecret}
              changedAt={null}
              required={false}
              removable={false}
              long={false}
              value={draft.webhookSecret}
              error={error}
              onChange={(webhookSecret) => change({ webhookSecret }, "webhookSecret")}
            />
          )}
        </Stack>
      </Collapse>
    </div>
  );
}
