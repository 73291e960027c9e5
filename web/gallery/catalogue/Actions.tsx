import { ActionIcon, Button, Menu } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { MoreIcon } from "../kit/icons";
import { type Address, useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import type { Actions as CardActions } from "./useActions";
import classes from "./catalogue.module.css";
import { DeleteDialog } from "./DeleteDialog";
import type { Integration, Provider } from "./operations";
import { type Action, label, type State } from "./state";

interface Props {
  provider: Provider;
  integration: Integration | null;
  state: State;
  actions: CardActions;
}

/** One primary action, which follows from the state, and the others in a menu. Viewers get neither. */
export function Actions(props: Props) {
  const { provider, integration, state, actions } = props;
  const { mayEdit } = useRole();
  const address = useAddress();
  const [deleting, setDeleting] = useState(false);
  if (!mayEdit) return null;
  if (!integration) {
    return (
      <div className={classes.actions}>
        <Button component={Link} href={address.dialog("connect", provider.name)} size="xs" aria-label={`Connect ${provider.displayName}`}>
          Connect
        </Button>
      </div>
    );
  }
  const ready = integration.enabled && integration.hasConfiguration && provider.capabilities.supportsImport && !integration.syncState.currentRun;
  return (
    <div className={classes.actions}>
      <Primary {...props} integration={integration} />
      {!configures.has(state.action) && (
        <Button component={Link} href={address.dialog("configure", integration.id)} size="xs" variant="subtle" color="gray" aria-label={`Configure ${integration.displayName}`}>
          Configure
        </Button>
      )}
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" ml="auto" aria-label={`More for ${integration.displayName}`}>
            <MoreIcon />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {ready && state.action !== "sync" && <Menu.Item onClick={actions.sync}>Sync now</Menu.Item>}
          {ready && state.action !== "import" && (
            <Menu.Item component={Link} href={address.dialog("import", integration.id)}>
              Choose what to import
            </Menu.Item>
          )}
          <Menu.Item component={Link} href={address.page(`/integrations/${integration.id}/runs`)}>
            History
          </Menu.Item>
          <Menu.Item component={Link} href={address.dialog("connect", provider.name)}>
            Connect another {provider.displayName}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item color="red" onClick={() => setDeleting(true)}>
            Delete…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {deleting && <DeleteDialog integration={integration} onClose={() => setDeleting(false)} />}
    </div>
  );
}

/** Actions that lead to the settings. */
export const configures = new Set<Action>(["configure", "continue", "fix"]);

function leadsTo(action: Action, id: string, address: Address): string {
  switch (action) {
    case "failures":
      return address.page(`/integrations/${id}/runs`);
    case "decide":
      return address.result(id);
    case "import":
      return address.dialog("import", id);
    default:
      return address.dialog("configure", id);
  }
}

/** What follows from the state. */
export function Primary({ integration, state: { action }, actions }: Omit<Props, "provider"> & { integration: Integration }) {
  const address = useAddress();
  const { id, displayName } = integration;
  const common = { size: "xs", "aria-label": `${label(action)}: ${displayName}` } as const;
  switch (action) {
    case "sync":
    case "cancel":
    case "enable": {
      const act = { sync: actions.sync, cancel: actions.cancel, enable: () => actions.setEnabled(true) }[action];
      return (
        <Button {...common} variant={action === "cancel" ? "default" : "light"} loading={actions.busy} onClick={act}>
          {label(action)}
        </Button>
      );
    }
    default:
      return (
        <Button {...common} component={Link} href={leadsTo(action, id, address)} variant={action === "configure" ? "default" : "filled"}>
          {label(action)}
        </Button>
      );
  }
}
