import { ActionIcon, Anchor, Button, Menu, Progress, Text, Title } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { configures, Primary } from "../catalogue/Actions";
import { DeleteDialog } from "../catalogue/DeleteDialog";
import { type Action, stateOf } from "../catalogue/state";
import { type Actions, useActions } from "../catalogue/useActions";
import { Announced } from "../kit/Announced";
import { MoreIcon } from "../kit/icons";
import { count } from "../kit/words";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import classes from "./integration.module.css";
import type { Integration } from "./operations";
import { Said } from "./Said";

/** What it is, how it stands, and what can be done. */
export function Head({ integration }: { integration: Integration }) {
  const { provider, displayName, name } = integration;
  const state = stateOf(provider, integration);
  const actions = useActions(integration);
  const { mayEdit } = useRole();
  const address = useAddress();
  const { progress, reason } = state;
  return (
    <>
      <Anchor component={Link} href={address.page("/")} size="sm" mb="sm" display="inline-block">
        Integrations
      </Anchor>
      <div className={classes.head}>
        <img src={provider.logoUrl} alt="" width={36} height={36} />
        <div className={classes.who}>
          <div className={classes.name}>
            <Title order={1} size="h3" className={classes.title}>
              {displayName}
            </Title>
            {name !== displayName.toLowerCase() && (
              <Text size="sm" c="dimmed" component="span" className={classes.title}>
                {name}
              </Text>
            )}
          </div>
          <Said words={state.words} tone={state.tone} />
          <Announced>{state.spoken ?? state.words}</Announced>
          {(reason ?? progress?.step) && (
            <Text size="sm" c="dimmed" lineClamp={2} title={reason ?? undefined}>
              {reason ?? progress?.step}
            </Text>
          )}
          {progress?.total ? (
            <Progress value={(progress.done / progress.total) * 100} size="sm" mt={6} maw={480} aria-label={`${count(progress.done)} of ${count(progress.total)}`} />
          ) : null}
        </div>
        {mayEdit && (
          <div className={classes.actions}>
            <Primary integration={integration} state={state} actions={actions} />
            <More integration={integration} action={state.action} actions={actions} />
          </div>
        )}
      </div>
      {actions.complaint && (
        <Text size="sm" role="alert" c="var(--tone-bad)" mt="xs">
          {actions.complaint}
        </Text>
      )}
    </>
  );
}

function More({ integration, action, actions }: { integration: Integration; action: Action; actions: Actions }) {
  const address = useAddress();
  const [deleting, setDeleting] = useState(false);
  const { id, displayName, enabled, hasConfiguration, provider, syncState } = integration;
  // By the server's answer one may have gone elsewhere.
  const deleted = () => location.pathname.startsWith(`/integrations/${id}`) && address.go(address.page("/"), { replace: true });
  const importable = enabled && hasConfiguration && provider.capabilities.supportsImport && !syncState.currentRun;
  return (
    <>
      {!configures.has(action) && (
        <Button component={Link} href={address.dialog("configure", id)} size="xs" variant="default">
          Configure
        </Button>
      )}
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label={`More for ${displayName}`}>
            <MoreIcon />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {importable && action !== "sync" && <Menu.Item onClick={actions.sync}>Sync now</Menu.Item>}
          {importable && action !== "import" && (
            <Menu.Item component={Link} href={address.dialog("import", id)}>
              Import…
            </Menu.Item>
          )}
          <Menu.Item onClick={() => actions.setEnabled(!enabled)}>{enabled ? "Disable" : "Enable"}</Menu.Item>
          {provider.documentationUrl && (
            <Menu.Item component="a" href={provider.documentationUrl} target="_blank" rel="noreferrer">
              Documentation of {provider.displayName}
            </Menu.Item>
          )}
          <Menu.Divider />
          <Menu.Item color="red" onClick={() => setDeleting(true)}>
            Delete…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {deleting && <DeleteDialog integration={integration} onClose={() => setDeleting(false)} onDeleted={deleted} />}
    </>
  );
}
