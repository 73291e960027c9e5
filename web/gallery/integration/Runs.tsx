import { Anchor, Stack, Table, Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import { useSubscription } from "urql";
import { Link } from "wouter";
import { cause } from "../catalogue/state";
import { useCatchUp } from "../connection";
import { Empty } from "../kit/Empty";
import { useNow, When } from "../kit/When";
import { type Run, RunProgress } from "../runs/operations";
import { missed, missedInWords, seconds, took } from "../runs/words";
import { Chart } from "./Chart";
import classes from "./integration.module.css";
import { type Integration, Runs as List } from "./operations";
import { RunDrawer } from "./RunDrawer";
import { Rows } from "./Rows";
import { Said } from "./Said";
import { useAddress } from "../shell/address";
import { useFilters } from "../shell/useFilters";
import { usePages } from "../kit/usePages";
import { changes, kind, outcome } from "./words";

/** What was synchronised when, and what came of it. */
export function Runs({ integration }: { integration: Integration }) {
  const { id, syncState } = integration;
  const filters = useFilters();
  const { open } = useAddress();
  const { nodes, again, ...list } = usePages(List, { id }, (data) => data.syncRuns);
  useCatchUp(again, list.error);
  useSubscription({ query: RunProgress, variables: { id: syncState.currentRun?.id ?? "" }, pause: !syncState.currentRun });

  // One that has begun is not in the list, and the last word on one that ended may have been missed.
  const current = `${syncState.currentRun?.id} ${syncState.lastSyncAt} ${syncState.status}`;
  const before = useRef(current);
  useEffect(() => {
    if (before.current === current) return;
    before.current = current;
    again();
  });

  return (
    <Stack>
      {nodes && nodes.filter(({ finishedAt }) => finishedAt).length > 1 && <Chart runs={nodes} />}
      <div>
        <Rows
          label="Runs"
          failed="The runs cannot be read"
          {...list}
          again={again}
          head={
            <>
              <Table.Th>Begun</Table.Th>
              <Table.Th className={classes.wide} w="22%">
                What
              </Table.Th>
              <Table.Th className={classes.wide} w="26%">
                Changes
              </Table.Th>
              <Table.Th className={classes.wide} w={110}>
                Took
              </Table.Th>
              <Table.Th className={classes.outcome}>Outcome</Table.Th>
            </>
          }
          rows={nodes?.map((run) => (
            <Row key={run.id} run={run} href={filters.href({ run: run.id })} />
          ))}
          empty={<Empty title="Nothing was synchronised yet">Runs show here, also while they go on.</Empty>}
        />
      </div>
      {/* The import dialog follows a run by the same name. */}
      <RunDrawer integration={integration} id={open ? null : filters.get("run")} onClose={() => filters.set({ run: null }, { replace: true })} />
    </Stack>
  );
}

function Row({ run, href }: { run: Run; href: string }) {
  const now = useNow();
  const { words, tone } = outcome(run);
  const missing = missed(run.error);
  const duration = seconds(run, now);
  const lasted = duration === null ? "–" : took(duration);
  return (
    <Table.Tr className={classes.row}>
      <Table.Td>
        <Anchor component={Link} href={href} size="sm" className={classes.opens}>
          <When at={run.startedAt ?? run.queuedAt} />
        </Anchor>
        <Text size="xs" c="dimmed" className={classes.narrow}>
          {kind(run)}
        </Text>
      </Table.Td>
      <Table.Td className={classes.wide}>{kind(run)}</Table.Td>
      <Table.Td className={classes.wide}>{changes(run)}</Table.Td>
      <Table.Td className={classes.wide}>{lasted}</Table.Td>
      <Table.Td>
        <Said words={words} tone={tone} />
        {run.error && (
          <Text size="xs" c="dimmed" lineClamp={2}>
            {missing ? missedInWords(missing) : cause(run.error).message}
          </Text>
        )}
        <Text size="xs" c="dimmed" className={classes.narrow}>
          {changes(run)} · {lasted}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}
