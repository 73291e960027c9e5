import { Anchor, Button, Group, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery } from "urql";
import { Link } from "wouter";
import { NextSync } from "../catalogue/NextSync";
import { stateOf } from "../catalogue/state";
import { useWhenChanged } from "../connection";
import { trouble } from "../errors";
import { Facts } from "../kit/Facts";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { count, plural } from "../kit/words";
import type { ObjectType } from "../runs/operations";
import { objectTypes } from "../runs/words";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import { concerns } from "./attention";
import classes from "./integration.module.css";
import { Counts, type Integration, TryConnection } from "./operations";
import { Said } from "./Said";
import { chosenWorkspace, schedule, webhookHealth } from "./words";

/** How it stands, at a glance. */
export function Overview({ integration }: { integration: Integration }) {
  const counts = useCounts(integration);
  return (
    <div className={classes.columns}>
      <Stack>
        <Attention integration={integration} failed={counts.data?.failed.totalCount ?? 0} />
        <ConnectionFacts integration={integration} />
      </Stack>
      <Objects integration={integration} {...counts} />
    </div>
  );
}

function useCounts({ id, syncState, webhook }: Integration) {
  const [{ data, error }, read] = useQuery({ query: Counts, variables: { id } });
  const again = () => read({ requestPolicy: "network-only" });
  useWhenChanged(`${syncState.updatedAt} ${webhook?.lastDeliveryAt}`, again);
  return { data, error, again };
}

const links = { runs: "See the runs", webhooks: "See the deliveries", result: "See what is missing" };

function Attention({ integration, failed }: { integration: Integration; failed: number }) {
  const address = useAddress();
  const found = concerns(integration, failed);
  if (found.length === 0) return null;
  return (
    <section className={classes.box} aria-labelledby="attention">
      <Title order={2} size="h5" mb="sm" id="attention">
        Needs attention
      </Title>
      <Stack gap="sm" component="ul" m={0} p={0} style={{ listStyle: "none" }}>
        {found.map(({ words, tone, reason, more }) => (
          <li key={words}>
            <Text size="sm" component="div">
              <Said words={words} tone={tone} />
            </Text>
            {reason && (
              <Text size="sm" c="dimmed">
                {reason}
              </Text>
            )}
            {more && (
              <Anchor component={Link} size="sm" display="inline-block" href={more === "result" ? address.result(integration.id) : address.page(`/integrations/${integration.id}/${more}`)}>
                {links[more]}
              </Anchor>
            )}
          </li>
        ))}
      </Stack>
    </section>
  );
}

function ConnectionFacts({ integration }: { integration: Integration }) {
  const { provider, syncState, enabled, description, logoUrl, createdAt } = integration;
  const { mayEdit } = useRole();
  const { workspaceName, workspaceId, lastSyncAt, lastSuccessfulSync, nextSyncAt, selection } = syncState;
  const state = stateOf(provider, integration);
  const webhook = webhookHealth(integration);
  return (
    <section className={classes.box} aria-labelledby="facts">
      <Title order={2} size="h5" mb="sm" id="facts">
        Connection
      </Title>
      <Facts>
        <dt>State</dt>
        <dd>
          <Said words={state.words} tone={state.tone} />
        </dd>
        {description && (
          <>
            <dt>Purpose</dt>
            <dd>{description}</dd>
          </>
        )}
        {logoUrl && ( // elsewhere: pages ask nobody but this server
          <>
            <dt>Logo</dt>
            <dd>{logoUrl}</dd>
          </>
        )}
        <dt>Workspace</dt>
        <dd>
          {workspaceName ?? workspaceId ?? chosenWorkspace(integration) ?? "Not known before the first sync"}
          {workspaceName && workspaceId && (
            <Text span size="sm" c="dimmed">
              {" "}
              {workspaceId}
            </Text>
          )}
        </dd>
        {mayEdit && (
          <>
            <dt>Account</dt>
            <dd>
              <Account integration={integration} />
            </dd>
          </>
        )}
        <dt>Last sync</dt>
        <dd>{syncState.currentRun ? "Going on" : lastSyncAt ? <When at={lastSyncAt} /> : "Never"}</dd>
        {lastSyncAt !== null && (
          <>
            <dt>Last that went well</dt>
            <dd>{lastSuccessfulSync ? <When at={lastSuccessfulSync} /> : "None yet"}</dd>
          </>
        )}
        <dt>Schedule</dt>
        <dd>
          {schedule(syncState.schedule)}
          {syncState.schedule && !enabled && " (rests while it is disabled)"}
        </dd>
        {nextSyncAt && enabled && (
          <>
            <dt>Next sync</dt>
            <dd>
              <NextSync at={nextSyncAt} />
            </dd>
          </>
        )}
        <dt>Selection</dt>
        <dd>{selection ? plural(selection.length, "place") : "Everything"}</dd>
        <dt>Webhook</dt>
        <dd>
          <Said words={webhook.words} tone={webhook.tone} />
          {integration.webhook?.lastDeliveryAt && (
            <Text size="sm" c="dimmed">
              Last delivery <When at={integration.webhook.lastDeliveryAt} />
            </Text>
          )}
          {webhook.reason && (
            <Text size="sm" c="dimmed">
              {webhook.reason}
            </Text>
          )}
        </dd>
        <dt>Connected</dt>
        <dd>
          <When at={createdAt} />
        </dd>
      </Facts>
    </section>
  );
}

/** Whose credentials they are, which the provider alone can tell. */
function Account({ integration: { id, hasConfiguration } }: { integration: Integration }) {
  const [{ data, error, fetching }, test] = useMutation(TryConnection);
  const problem = trouble(error);
  const answer = data?.testConnection;
  return (
    <Group gap={answer || problem ? "xs" : 0}>
      <span role="status">
        {problem && <Said words={problem.message} tone="bad" />}
        {answer && !problem && <Said words={answer.ok && answer.account ? `${answer.account} (${count(answer.latencyMs)} ms)` : answer.message} tone={answer.ok ? "good" : "bad"} />}
      </span>
      {hasConfiguration ? (
        <Button size="compact-xs" variant="default" loading={fetching} onClick={() => void test({ integrationId: id })}>
          {answer ? "Test again" : "Test connection"}
        </Button>
      ) : (
        "Set-up is not finished"
      )}
    </Group>
  );
}

function Objects({ integration, data, error, again }: { integration: Integration } & ReturnType<typeof useCounts>) {
  const address = useAddress();
  const problem = trouble(error);
  return (
    <section className={classes.box} aria-labelledby="imported">
      <Title order={2} size="h5" mb="sm" id="imported">
        Imported
      </Title>
      {problem && !data && <Problem what="The objects could not be counted" trouble={problem} retry={again} />}
      {!data && !problem && (
        <div aria-busy="true">
          {[1, 2, 3, 4].map((n) => (
            <Skeleton key={n} height={14} mb="sm" />
          ))}
        </div>
      )}
      {data && (
        <SimpleGrid cols={2} spacing="xs" verticalSpacing={6} component="dl" m={0} style={{ gridTemplateColumns: "1fr auto", alignItems: "baseline", fontSize: 14 }}>
          {(Object.keys(objectTypes) as ObjectType[]).map((type) => (
            <Count key={type} type={type} total={data[type].totalCount} href={address.page(`/integrations/${integration.id}/objects`)} />
          ))}
        </SimpleGrid>
      )}
    </section>
  );
}

function Count({ type, total, href }: { type: ObjectType; total: number; href: string }) {
  const { many } = objectTypes[type];
  return (
    <>
      <dt>
        {total > 0 ? (
          <Anchor component={Link} inherit href={`${href}${href.includes("?") ? "&" : "?"}type=${type}`}>
            {many}
          </Anchor>
        ) : (
          <Text size="sm" c="dimmed">
            {many}
          </Text>
        )}
      </dt>
      <Text size="sm" component="dd" m={0} className={classes.number}>
        {count(total)}
      </Text>
    </>
  );
}
