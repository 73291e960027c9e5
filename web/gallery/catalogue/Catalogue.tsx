import { Button, Group, Kbd, SegmentedControl, Skeleton, TextInput, Title } from "@mantine/core";
import { useDocumentTitle, useHotkeys } from "@mantine/hooks";
import { type KeyboardEvent, useRef, useState } from "react";
import { useQuery, useSubscription } from "urql";
import { useCatchUp } from "../connection";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { SearchIcon } from "../kit/icons";
import { Problem } from "../kit/Problem";
import { useScope } from "../shell/scope";
import { Card } from "./Card";
import classes from "./catalogue.module.css";
import { type Entry, Gallery, type Integration, type Provider, SyncStateChanged } from "./operations";
import { type Filter, matches, needsAttention } from "./state";

interface Item {
  key: string;
  provider: Provider;
  integration: Integration | null;
}

/** The gallery: a card for each integration, and for each provider without one. */
export function Catalogue() {
  useDocumentTitle("Integrations · Patchbay");
  const { orgId, project } = useScope();
  const variables = { orgId, projectId: project.id };
  const [{ data, error }, read] = useQuery({ query: Gallery, variables });
  const [filter, setFilter] = useState<Filter>("all");
  const [search, setSearch] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => field.current?.focus()]]);

  const readAgain = () => read({ requestPolicy: "network-only" });
  useSubscription({ query: SyncStateChanged, variables });
  useCatchUp(readAgain);

  const items = data?.gallery.flatMap(cards);
  const shown = items?.filter(({ provider, integration }) => matches(provider, integration, filter, search));
  const attention = items?.filter(({ provider, integration }) => needsAttention(provider, integration)).length ?? 0;
  const problem = trouble(error);
  const found = items && problem?.code === "OFFLINE" ? null : problem; // the banner says so

  function clear() {
    setFilter("all");
    setSearch("");
    field.current?.focus();
  }
  function escape(event: KeyboardEvent) {
    if (event.key === "Escape") setSearch("");
  }

  return (
    <>
      <div className={classes.top}>
        <Title order={1} size="h3">
          Integrations
        </Title>
        <TextInput
          ref={field}
          className={classes.search}
          aria-label="Search integrations"
          placeholder="Search"
          leftSection={<SearchIcon />}
          rightSection={<Kbd size="xs">/</Kbd>}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={escape}
        />
        <SegmentedControl
          className={classes.filter}
          aria-label="Show"
          value={filter}
          onChange={(value) => setFilter(value as Filter)}
          data={[
            { value: "all", label: "All" },
            { value: "connected", label: "Connected" },
            { value: "attention", label: attention > 0 ? `Needs attention (${attention})` : "Needs attention" },
          ]}
        />
      </div>
      {found && (
        <Group mb="md">
          <Problem what={items ? "The gallery could not be brought up to date" : "The gallery cannot be read"} trouble={found} retry={readAgain} />
        </Group>
      )}
      {!items && !found && <Skeletons />}
      {shown && shown.length > 0 && (
        <ul className={classes.grid}>
          {shown.map(({ key, ...item }) => (
            <li key={key}>
              <Card {...item} />
            </li>
          ))}
        </ul>
      )}
      {items && shown?.length === 0 && (
        <Empty title={filter === "attention" && !search ? "Nothing needs attention" : "No integration fits that"}>
          <Button variant="default" onClick={clear}>
            Show all
          </Button>
        </Empty>
      )}
    </>
  );
}

function cards({ provider, integrations }: Entry): Item[] {
  if (integrations.length === 0) return [{ key: provider.name, provider, integration: null }];
  return integrations.map((integration) => ({ key: integration.id, provider, integration }));
}

function Skeletons() {
  return (
    <ul className={classes.grid} aria-busy="true" aria-label="The integrations are being read">
      {[1, 2, 3, 4].map((n) => (
        <li key={n} className={classes.card}>
          <Group gap="sm">
            <Skeleton height={32} width={32} />
            <Skeleton height={16} width="45%" />
          </Group>
          <Skeleton height={12} mt="sm" />
          <Skeleton height={12} mt={8} width="70%" />
          <Skeleton height={16} mt="lg" width="60%" />
          <Skeleton height={30} mt="lg" width={96} />
        </li>
      ))}
    </ul>
  );
}
