import { Anchor, Button, Skeleton, Text } from "@mantine/core";
import { useEffect } from "react";
import { useQuery } from "urql";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { ended } from "../runs/ends";
import classes from "./importing.module.css";
import { LatestRun as Latest, type Target } from "./operations";
import { outcome } from "./run";

interface Props {
  target: Target;
  onFollow(run: string): void;
}

/** For those who may look and not start: what runs, or the run that was last. */
export function LatestRun({ target, onFollow }: Props) {
  const [{ data, error }, read] = useQuery({ query: Latest, variables: { id: target.id } });
  const live = target.syncState.currentRun;
  const last = data?.syncRuns.nodes[0];
  const found = trouble(error);
  if (live) {
    return (
      <Empty title="An import is running">
        <Button onClick={() => onFollow(live.id)}>Show it</Button>
      </Empty>
    );
  }
  if (found && !data) return <Problem what="The last import cannot be read" trouble={found} retry={() => read({ requestPolicy: "network-only" })} />;
  if (!data) return <Skeleton height={120} />;
  if (!last) return <Empty title="Nothing was imported yet">Who may edit can start an import.</Empty>;
  return (
    <Empty title="Nothing is being imported">
      <span>
        The last import was queued <When at={last.queuedAt} />.
      </span>
      <Button variant="default" onClick={() => onFollow(last.id)}>
        See what came of it
      </Button>
    </Empty>
  );
}

/** Leads to the last run, whichever that is. */
export function ToLatestRun({ target, onFollow }: { target: Target; onFollow(run: string | null): void }) {
  const [{ data, error, fetching }, read] = useQuery({ query: Latest, variables: { id: target.id }, requestPolicy: "network-only" });
  const found = trouble(error);
  const answered = !fetching && data !== undefined;
  const last = data?.syncRuns.nodes[0]?.id ?? null;
  useEffect(() => {
    if (answered) onFollow(last);
  }, [answered, last, onFollow]);
  if (found && !data) return <Problem what="The last import cannot be read" trouble={found} retry={() => read({ requestPolicy: "network-only" })} />;
  return <Skeleton height={120} aria-busy="true" aria-label="The import is being read" />;
}

/** How the last import ended, for those who choose the next one. */
export function LatestLine({ target, onFollow }: Props) {
  const [{ data }] = useQuery({ query: Latest, variables: { id: target.id } });
  const last = data?.syncRuns.nodes[0];
  if (!last?.finishedAt || !ended(last)) return null;
  const { words, tone } = outcome(last);
  return (
    <Text size="sm" c="dimmed">
      Last import <When at={last.finishedAt} />:{" "}
      <span className={classes.words} data-tone={tone}>
        {words}
      </span>{" "}
      ·{" "}
      <Anchor component="button" type="button" inherit onClick={() => onFollow(last.id)}>
        See what came of it
      </Anchor>
    </Text>
  );
}
