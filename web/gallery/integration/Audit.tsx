import { Button, NativeSelect, Table, Text, TextInput } from "@mantine/core";
import { type SubmitEvent, useState } from "react";
import { Empty } from "../kit/Empty";
import { When } from "../kit/When";
import { useScope } from "../shell/scope";
import { actions, deed, said } from "./deeds";
import classes from "./integration.module.css";
import { Audit as List, type Event, type Integration } from "./operations";
import { Rows } from "./Rows";
import { useFilters } from "./useFilters";
import { usePages } from "./usePages";

/** Who did what with it. */
export function Audit({ integration }: { integration: Integration }) {
  const { orgId } = useScope();
  const filters = useFilters();
  const [action, actor, since, until] = ["action", "actor", "since", "until"].map((name) => filters.get(name) || null) as (string | null)[];
  const narrowed = action || actor || since || until;
  const variables = {
    orgId,
    projectId: integration.projectId,
    filter: { integrationId: integration.id, action: action ?? null, actor: actor ?? null, since: midnight(since, 0), until: midnight(until, 1) },
  };
  const { nodes, ...list } = usePages(List, variables, (data) => data.auditEvents);
  return (
    <>
      <div className={classes.filters} role="search">
        <NativeSelect
          label="What was done"
          value={action ?? ""}
          onChange={(event) => filters.set({ action: event.currentTarget.value || null }, { replace: true })}
          data={[{ value: "", label: "Everything" }, ...Object.entries(actions).map(([value, label]) => ({ value, label }))]}
        />
        <Actor key={actor} value={actor ?? ""} onChange={(value) => filters.set({ actor: value || null }, { replace: true })} />
        <TextInput label="From" type="date" value={since ?? ""} onChange={(event) => filters.set({ since: event.currentTarget.value || null }, { replace: true })} />
        <TextInput label="To" type="date" value={until ?? ""} onChange={(event) => filters.set({ until: event.currentTarget.value || null }, { replace: true })} />
      </div>
      <Rows
        label="Audit trail"
        failed="The audit trail cannot be read"
        {...list}
        head={
          <>
            <Table.Th className={classes.when}>When</Table.Th>
            <Table.Th className={classes.wide} w="22%">
              Who
            </Table.Th>
            <Table.Th>What</Table.Th>
            <Table.Th className={classes.wide} w={150}>
              Address
            </Table.Th>
          </>
        }
        rows={nodes?.map((event) => (
          <Row key={event.id} event={event} />
        ))}
        empty={
          <Empty title={narrowed ? "No entry fits that" : "Nothing was recorded yet"}>
            {narrowed && (
              <Button variant="default" onClick={() => filters.set({ action: null, actor: null, since: null, until: null }, { replace: true })}>
                Show all
              </Button>
            )}
          </Empty>
        }
      />
    </>
  );
}

function Row({ event: { at, actor, action, changes, remoteAddr, requestId } }: { event: Event }) {
  return (
    <Table.Tr>
      <Table.Td>
        <When at={at} />
      </Table.Td>
      <Table.Td className={classes.wide}>{actor}</Table.Td>
      <Table.Td>
        <Text size="sm" fw={500}>
          {deed(action)}
        </Text>
        {said(changes).map(([name, value]) => (
          <Text key={name} size="xs" c="dimmed">
            {name}: {value}
          </Text>
        ))}
        <Text size="xs" c="dimmed" className={classes.narrow}>
          by {actor}
          {remoteAddr && ` from ${remoteAddr}`}
        </Text>
      </Table.Td>
      <Table.Td className={classes.wide} title={requestId ? `Request ${requestId}` : undefined}>
        {remoteAddr ?? "–"}
      </Table.Td>
    </Table.Tr>
  );
}

/** A whole subject: the filter knows no parts. */
function Actor({ value, onChange }: { value: string; onChange(value: string): void }) {
  const [typed, setTyped] = useState(value);
  function submit(event: SubmitEvent) {
    event.preventDefault();
    onChange(typed.trim());
  }
  return (
    <form className={classes.grow} onSubmit={submit}>
      <TextInput label="Who" placeholder="A whole name, then Enter" value={typed} onChange={(event) => setTyped(event.currentTarget.value)} onBlur={() => typed.trim() !== value && onChange(typed.trim())} />
    </form>
  );
}

/** A day's beginning, where the reader is, or so many days later. */
function midnight(day: string | null | undefined, later: number): string | null {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day ?? "");
  if (!found) return null;
  return new Date(Number(found[1]), Number(found[2]) - 1, Number(found[3]) + later).toISOString();
}
