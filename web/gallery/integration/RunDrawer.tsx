import { Alert, Anchor, Button, Drawer, Group, Progress, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useSubscription } from "urql";
import { Link } from "wouter";
import { Actor } from "../audit/Actor";
import { CancelSync } from "../catalogue/operations";
import { cause, running } from "../catalogue/state";
import { useCatchUp } from "../connection";
import { trouble } from "../errors";
import { Announced } from "../kit/Announced";
import { Empty } from "../kit/Empty";
import { Facts } from "../kit/Facts";
import { Problem } from "../kit/Problem";
import { useNow, When } from "../kit/When";
import { about, count, plural } from "../kit/words";
import { Counts } from "../runs/Counts";
import { type Run, RunById, RunProgress } from "../runs/operations";
import { handled, missed, missedInWords, objectTypes, seconds, sums, took } from "../runs/words";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import classes from "./integration.module.css";
import type { Integration } from "./operations";
import { Said } from "./Said";
import { kind, outcome } from "./words";

/** One run: what it did to each type, and what could not be imported. Advances while it is looked at. */
export function RunDrawer({ integration, id, onClose }: { integration: Integration; id: string | null; onClose(): void }) {
  const [{ data, error, stale, fetching }, read] = useQuery({ query: RunById, variables: { id: id ?? "" }, pause: id === null });
  const run = data?.syncRun;
  const shown = run && run.id === id && run.integrationId === integration.id ? run : undefined;
  const again = () => read({ requestPolicy: "network-only" });
  useSubscription({ query: RunProgress, variables: { id: id ?? "" }, pause: !shown || shown.finishedAt !== null });
  useCatchUp(() => id !== null && again(), error);
  const problem = trouble(error);
  const waiting = stale || fetching;
  return (
    <Drawer opened={id !== null} onClose={onClose} position="right" size="lg" padding="lg" title={shown ? kind(shown) : "Run"} classNames={{ title: classes.drawerTitle ?? "" }}>
      {shown ? (
        <Whole integration={integration} run={shown} />
      ) : problem && problem.field !== "id" && !waiting ? (
        <Problem what="The run cannot be read" trouble={problem} retry={again} />
      ) : waiting ? (
        <div aria-busy="true" aria-label="The run is being read">
          {[1, 2, 3, 4].map((n) => (
            <Skeleton key={n} height={14} mb="sm" />
          ))}
        </div>
      ) : (
        <Empty title="There is no such run">Runs are kept for 90 days, and the latest 20 longer.</Empty>
      )}
    </Drawer>
  );
}

function Whole({ integration, run }: { integration: Integration; run: Run }) {
  const now = useNow();
  const { mayEdit } = useRole();
  const address = useAddress();
  const [{ error, fetching }, cancel] = useMutation(CancelSync);
  const { words, tone } = outcome(run);
  const { requestedBy, queuedAt, startedAt, finishedAt, step, processed, total, estimatedSecondsLeft } = run;
  const duration = seconds(run, now);
  const found = trouble(error);
  const refused = found && found.code !== "CONFLICT" ? found : null; // one that ended meanwhile shows what came of it
  const missing = missed(run.error);
  return (
    <Stack gap="lg">
      <div>
        <Group justify="space-between" align="start" wrap="nowrap">
          <div>
            <Said words={words} tone={tone} />
            <Announced>{finishedAt ? words : running(integration.provider, run).spoken}</Announced>
            {!finishedAt && step && (
              <Text size="sm" c="dimmed">
                {step}
              </Text>
            )}
          </div>
          {!finishedAt && mayEdit && (
            <Button size="xs" variant="default" loading={fetching} onClick={() => void cancel({ runId: run.id })}>
              Cancel
            </Button>
          )}
        </Group>
        {!finishedAt && total !== null && total > 0 && <Progress mt="xs" size="sm" value={(processed / total) * 100} aria-label={`${count(processed)} of ${count(total)}`} />}
        {!finishedAt && estimatedSecondsLeft !== null && (
          <Text size="sm" c="dimmed" mt={4}>
            {about(estimatedSecondsLeft)} left
          </Text>
        )}
      </div>
      {refused && <Problem what="It could not be cancelled" trouble={refused} />}
      {missing && (
        <Alert color="yellow" title="Nothing was marked as deleted">
          <Text size="sm">
            {missedInWords(missing)} Whether they were deleted there, or cannot be seen any more, {mayEdit ? "you have to say." : "somebody who may edit has to say."}
          </Text>
          <Button component={Link} href={address.result(integration.id, run.id)} size="xs" variant="default" mt="sm">
            {mayEdit ? "Decide" : "See what is missing"}
          </Button>
        </Alert>
      )}
      {run.error && !missing && (run.status === "ERROR" || run.failures.length === 0) && ( // else the failures say it
        <Alert color={run.status === "ERROR" ? "red" : "yellow"} title={run.status === "ERROR" ? "Why it failed" : "What was left out"}>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {cause(run.error).message}
          </Text>
        </Alert>
      )}
      <Facts>
        <dt>Queued</dt>
        <dd>
          <When at={queuedAt} />
        </dd>
        <dt>Begun</dt>
        <dd>{startedAt ? <When at={startedAt} /> : "Not yet"}</dd>
        <dt>{finishedAt ? "Took" : "At work for"}</dt>
        <dd>{duration === null ? "–" : took(duration)}</dd>
        <dt>Handled</dt>
        <dd>{finishedAt ? plural(handled(run), "object") : total === null ? plural(processed, "item") : `${count(processed)} of ${plural(total, "item")}`}</dd>
        {requestedBy && (
          <>
            <dt>Asked for by</dt>
            <dd>
              <Actor of={requestedBy} />
            </dd>
          </>
        )}
      </Facts>
      <section>
        <Title order={3} size="h6" mb="xs">
          By type
        </Title>
        <Counts run={run} />
      </section>
      <Failures integration={integration} run={run} />
    </Stack>
  );
}

function Failures({ integration, run }: { integration: Integration; run: Run }) {
  const address = useAddress();
  const { failed } = sums(run);
  const { failures } = run;
  if (failures.length === 0) return null;
  const objects = address.page(`/integrations/${integration.id}/objects`);
  return (
    <section>
      <Title order={3} size="h6" mb="xs">
        Could not be imported
      </Title>
      {failed > failures.length && (
        <Text size="sm" c="dimmed" mb="xs">
          The first {count(failures.length)} of {count(failed)}.
        </Text>
      )}
      <Stack component="ul" gap="xs" m={0} pl="lg">
        {failures.map(({ type, externalId, reason }, n) => (
          <li key={n}>
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              {objectTypes[type].one}{" "}
              {externalId ? (
                <Anchor component={Link} inherit underline="always" href={`${objects}${objects.includes("?") ? "&" : "?"}object=${encodeURIComponent(externalId)}`}>
                  {externalId}
                </Anchor>
              ) : (
                "without an id"
              )}
              : {reason}
            </Text>
          </li>
        ))}
      </Stack>
    </section>
  );
}
