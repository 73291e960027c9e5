import { Anchor, Badge, Progress, Switch, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import { When } from "../kit/When";
import { briefly, count, plural } from "../kit/words";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import { Actions } from "./Actions";
import { useActions } from "./useActions";
import classes from "./catalogue.module.css";
import { NextSync } from "./NextSync";
import type { Integration, Provider } from "./operations";
import { type State, stateOf } from "./state";

interface Props {
  provider: Provider;
  integration: Integration | null;
}

/** What it is, whether it works right now, and what to do next. */
export function Card({ provider, integration }: Props) {
  const { mayEdit } = useRole();
  const address = useAddress();
  const state = stateOf(provider, integration);
  const actions = useActions(integration);
  const title = integration?.displayName ?? provider.displayName;
  return (
    <article className={classes.card} aria-label={title} data-tone={state.tone}>
      <div className={classes.head}>
        <img src={provider.logoUrl} alt="" width={28} height={28} className={classes.logo} />
        <Title order={2} size="h5" className={classes.title}>
          {integration ? (
            <Anchor component={Link} href={address.page(`/integrations/${integration.id}`)} inherit c="inherit">
              {title}
            </Anchor>
          ) : (
            title
          )}
        </Title>
        {integration && mayEdit && (
          <Switch
            aria-label={`${title} is enabled`}
            checked={actions.enabled}
            onChange={(event) => actions.setEnabled(event.currentTarget.checked)}
          />
        )}
      </div>
      <Text size="sm" c="dimmed" className={classes.description}>
        {integration?.description ?? provider.description}
      </Text>
      <Capabilities provider={provider} />
      <div className={classes.status}>
        <Status state={state} />
        {integration?.syncState.currentRun && (
          <Anchor component={Link} href={address.dialog("import", integration.id)} size="xs" aria-label={`Show the import from ${title}`}>
            Show the import
          </Anchor>
        )}
        {integration && <LastSync integration={integration} />}
        {actions.complaint && (
          <Text size="sm" role="alert" className={classes.complaint}>
            {actions.complaint}
          </Text>
        )}
      </div>
      <Actions provider={provider} integration={integration} state={state} actions={actions} />
    </article>
  );
}

function Capabilities({ provider: { capabilities } }: { provider: Provider }) {
  const said = [
    capabilities.supportsImport && "Import",
    capabilities.supportsWebhooks && "Webhooks",
    capabilities.supportsBidirectionalSync && "Writes back",
  ].filter((word) => word !== false);
  if (said.length === 0) said.push("Credentials only");
  return (
    <div className={classes.badges}>
      {said.map((word) => (
        <Badge key={word} variant="default" size="sm" fw={500} tt="none">
          {word}
        </Badge>
      ))}
    </div>
  );
}

function Status({ state: { words, reason, tone, progress } }: { state: State }) {
  return (
    <>
      <Text size="sm" fw={500} className={classes.words} data-tone={tone}>
        <span className={classes.dot} aria-hidden="true" />
        <span className={classes.said}>{words}</span>
      </Text>
      {reason && (
        <Text size="xs" c="dimmed" lineClamp={2} title={reason}>
          {reason}
        </Text>
      )}
      {progress?.total ? (
        <Progress value={(progress.done / progress.total) * 100} size="sm" aria-label={words} mt={6} />
      ) : null}
      {progress && !reason && (
        <Text size="xs" c="dimmed" lineClamp={1}>
          {progress.total ? `${count(progress.done)} of ${count(progress.total)}` : null}
          {progress.total && progress.step ? " · " : null}
          {progress.step}
        </Text>
      )}
    </>
  );
}

function LastSync({ integration: { enabled, syncState } }: { integration: Integration }) {
  const { status, lastSyncAt, lastSuccessfulSync, totalSynced, currentRun, nextSyncAt } = syncState;
  const failedAt = status === "ERROR" ? lastSyncAt : null;
  if (currentRun || (!failedAt && !lastSuccessfulSync && totalSynced === 0)) return null;
  return (
    <Text size="xs" c="dimmed">
      {failedAt && (
        <>
          Tried <When at={failedAt} /> ·{" "}
        </>
      )}
      {lastSuccessfulSync && (
        <>
          {failedAt ? "synced" : "Synced"} <When at={lastSuccessfulSync} /> ·{" "}
        </>
      )}
      <span title={plural(totalSynced, "object")}>{briefly(totalSynced)} objects</span>
      {nextSyncAt && enabled && (
        <>
          {" "}
          · next <NextSync at={nextSyncAt} />
        </>
      )}
    </Text>
  );
}
