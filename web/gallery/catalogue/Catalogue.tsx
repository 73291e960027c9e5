import { Button, Group, Kbd, SegmentedControl, Skeleton, TextInput, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { type KeyboardEvent, type RefObject, useEffect, useRef } from "react";
import { useQuery, useSubscription } from "urql";
import { useCatchUp } from "../connection";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { SearchIcon } from "../kit/icons";
import { Problem } from "../kit/Problem";
import { useScope } from "../shell/scope";
import { useFilters } from "../shell/useFilters";
import { Card } from "./Card";
import classes from "./catalogue.module.css";
import { type Entry, Gallery, type Integration, type Provider, SyncStateChanged } from "./operations";
import { type Filter, filters, matches, needsAttention } from "./state";

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
  const query = useFilters();
  const filter = filters.find((name) => name === query.get("show")) ?? "all";
  const search = query.get("search") ?? "";
  const narrow = (to: { show?: Filter; search?: string }) => query.set(Object.fromEntries(Object.entries(to).map(([name, value]) => [name, value === "all" ? null : value || null])), { replace: true });
  const field = useRef<HTMLInputElement>(null);
  useSlash(field);

  const readAgain = () => read({ requestPolicy: "network-only" });
  useSubscription({ query: SyncStateChanged, variables });
  const items = data?.gallery.flatMap(cards);
  useCatchUp(readAgain, error);

  const shown = items?.filter(({ provider, integration }) => matches(provider, integration, filter, search));
  const attention = items?.filter(({ provider, integration }) => needsAttention(provider, integration)).length ?? 0;
  const problem = trouble(error);
  const found = items && problem?.code === "OFFLINE" ? null : problem; // the banner says so

  function clear() {
    narrow({ show: "all", search: "" });
    field.current?.focus();
  }
  function escape(event: KeyboardEvent) {
    if (event.key === "Escape") narrow({ search: "" });
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
          onChange={(event) => narrow({ search: event.currentTarget.value })}
          onKeyDown={escape}
        />
        <SegmentedControl
          className={classes.filter}
          aria-label="Show"
          value={filter}
          onChange={(value) => narrow({ show: value as Filter })}
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

/** "/" leads to the search, unless a field or a dialog has the keyboard. By what the key types: on some it is typed with Shift. */
function useSlash(field: RefObject<HTMLInputElement | null>) {
  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey) return;
      if (document.querySelector("[role=dialog]") || document.activeElement?.matches("input, textarea, select, [contenteditable]")) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [field]);
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
