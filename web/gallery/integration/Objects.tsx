import { Anchor, Badge, Button, Checkbox, NativeSelect, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { Suspense, useEffect, useRef, useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useCatchUp, useWhenChanged } from "../connection";
import { Empty } from "../kit/Empty";
import { SearchIcon } from "../kit/icons";
import { lazily } from "../kit/lazily";
import { When } from "../kit/When";
import { plural } from "../kit/words";
import type { ObjectType } from "../runs/operations";
import { objectTypes } from "../runs/words";
import { useAddress } from "../shell/address";
import { ErrorBoundary } from "../shell/ErrorBoundary";
import { useRole } from "../shell/session";
import classes from "./integration.module.css";
import { CountObjects, type Integration, type ListedObject, Objects as List } from "./operations";
import { Outward } from "./Outward";
import { Rows } from "./Rows";
import { useFilters } from "../shell/useFilters";
import { usePages } from "../kit/usePages";

// It brings a Markdown parser.
const ObjectDrawer = lazily(() => import("./ObjectDrawer"));

/** What was imported. */
export function Objects({ integration }: { integration: Integration }) {
  const { id, provider, syncState } = integration;
  const running = syncState.currentRun !== null;
  const filters = useFilters();
  const given = filters.get("type");
  const type = given !== null && given in objectTypes ? (given as ObjectType) : null;
  const search = filters.get("search")?.trim() || null;
  const includeDeleted = filters.get("deleted") !== null;
  const narrowed = type !== null || search !== null;
  const variables = { id, filter: { type, search, includeDeleted } };
  const { nodes, again, ...list } = usePages(List, variables, (data) => data.syncedObjects);
  const [{ data: counted, error: countError }, count] = useQuery({ query: CountObjects, variables });
  const readAgain = () => {
    again();
    count({ requestPolicy: "network-only" });
  };
  useCatchUp(readAgain, list.error ?? countError);
  useWhenChanged(syncState.updatedAt, readAgain); // with each object that changed, also by a webhook

  const opened = filters.get("object");
  return (
    <>
      <div className={classes.filters} role="search">
        <Search value={search ?? ""} onChange={(value) => filters.set({ search: value.trim() || null }, { replace: true })} />
        <NativeSelect
          label="Type"
          value={type ?? ""}
          onChange={(event) => filters.set({ type: event.currentTarget.value || null }, { replace: true })}
          data={[{ value: "", label: "All types" }, ...(Object.keys(objectTypes) as ObjectType[]).map((value) => ({ value, label: objectTypes[value].many }))]}
        />
        <Checkbox
          pb={8}
          label="Deleted ones too"
          checked={includeDeleted}
          onChange={(event) => filters.set({ deleted: event.currentTarget.checked ? "1" : null }, { replace: true })}
        />
      </div>
      <Text size="sm" c="dimmed" mb="xs" role={running ? undefined : "status"}>
        {counted ? plural(counted.syncedObjects.totalCount, "object") : "\u00a0"}
      </Text>
      <Rows
        label="Objects"
        failed="The objects cannot be read"
        {...list}
        again={readAgain}
        head={
          <>
            <Table.Th>Title</Table.Th>
            <Table.Th className={classes.wide} w={120}>
              Type
            </Table.Th>
            <Table.Th className={classes.wide} w={150}>
              Changed at source
            </Table.Th>
            <Table.Th className={classes.wide} w={130}>
              Imported
            </Table.Th>
            <Table.Th w={110}>
              Source
            </Table.Th>
          </>
        }
        rows={nodes?.map((object) => (
          <Row key={object.id} object={object} href={filters.href({ object: object.externalId })} source={provider.displayName} />
        ))}
        empty={
          narrowed ? (
            <Empty title="No object fits that">
              <Button variant="default" onClick={() => filters.set({ type: null, search: null }, { replace: true })}>
                Show all
              </Button>
            </Empty>
          ) : (
            <Nothing integration={integration} />
          )
        }
      />
      <ErrorBoundary>
        <Suspense>
          <ObjectDrawer integration={integration} externalId={opened} onClose={() => filters.set({ object: null }, { replace: true })} />
        </Suspense>
      </ErrorBoundary>
    </>
  );
}

function Row({ object, href, source }: { object: ListedObject; href: string; source: string }) {
  const { type, title, externalUrl, externalUpdatedAt, syncedAt, deletedAt } = object;
  return (
    <Table.Tr className={classes.row}>
      <Table.Td>
        <Anchor component={Link} href={href} size="sm" className={classes.opens} td={deletedAt ? "line-through" : undefined}>
          {title || "Without a title"}
        </Anchor>
        {deletedAt && (
          <Badge variant="default" size="sm" tt="none" fw={500} ml="xs">
            Deleted
          </Badge>
        )}
        <Text size="xs" c="dimmed" className={classes.narrow}>
          {objectTypes[type].one} · imported <When at={syncedAt} />
        </Text>
      </Table.Td>
      <Table.Td className={classes.wide}>{objectTypes[type].one}</Table.Td>
      <Table.Td className={classes.wide}>{externalUpdatedAt ? <When at={externalUpdatedAt} /> : "–"}</Table.Td>
      <Table.Td className={classes.wide}>
        <When at={syncedAt} />
      </Table.Td>
      <Table.Td>
        {externalUrl ? (
          <span className={classes.above}>
            <Outward href={externalUrl} label={`${title} in ${source}`}>
              {source}
            </Outward>
          </span>
        ) : (
          "–"
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** Keeps what is typed, and tells it once typing pauses. */
function Search({ value, onChange }: { value: string; onChange(value: string): void }) {
  const [typed, setTyped] = useState(value);
  const told = useRef(value);
  const tell = useDebouncedCallback((text: string) => {
    told.current = text.trim();
    onChange(text);
  }, 300);
  useEffect(() => {
    if (value !== told.current) {
      told.current = value;
      setTyped(value); // by the address: a step back, or "Show all"
    }
  }, [value]);
  return (
    <TextInput
      className={classes.grow}
      label="Search"
      placeholder="Words in title or text"
      leftSection={<SearchIcon />}
      maxLength={200}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        tell(event.currentTarget.value);
      }}
    />
  );
}

function Nothing({ integration: { id, syncState, provider } }: { integration: Integration }) {
  const { mayEdit } = useRole();
  const address = useAddress();
  if (syncState.currentRun) return <Empty title="Nothing yet">The import has begun: what it brings shows here.</Empty>;
  if (!mayEdit || !provider.capabilities.supportsImport) return <Empty title="Nothing was imported yet" />;
  return (
    <Empty title="Nothing was imported yet">
      <Button component={Link} href={address.dialog("import", id)}>
        Import…
      </Button>
    </Empty>
  );
}
