import { Autocomplete, Button, Select, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { useQuery } from "urql";
import { actionInWords, knownActions } from "../kit/trail";
import { useScope } from "../shell/scope";
import { useSignedIn } from "../shell/session";
import classes from "./administration.module.css";
import { type Filters, isNarrowed, ranges, readFilters } from "./filters";
import { IntegrationNames } from "./operations";

interface Props {
  value: Filters;
  onChange(value: Filters): void;
}

// The list scrolls by itself, as the keyboard moves in it.
const list = {
  comboboxProps: { withinPortal: false, width: "max-content", position: "bottom-start" },
  withScrollArea: false,
  classNames: { options: classes.options },
} as const;

export function AuditFilters({ value, onChange }: Props) {
  const { orgId, project } = useScope();
  const { viewer } = useSignedIn();
  const [{ data }] = useQuery({ query: IntegrationNames, variables: { orgId, projectId: project.id } });
  const change = (part: Partial<Filters>) => onChange({ ...value, ...part });
  const actions = knownActions.map((action) => ({ value: action, label: actionInWords(action) }));
  const integrations = data?.integrations.nodes.map(({ id, name, displayName }) => ({ value: id, label: displayName === name ? name : `${displayName} (${name})` })) ?? [];

  return (
    <div className={classes.filters} role="search" aria-label="Narrow the audit log">
      <Select
        label="Action"
        placeholder="Any"
        data={value.action && !knownActions.includes(value.action) ? [...actions, { value: value.action, label: value.action }] : actions}
        value={value.action}
        onChange={(action) => change({ action })}
        searchable
        clearable
        clearButtonProps={{ "aria-label": "Any action" }}
        {...list}
      />
      <Actor value={value.actor} own={viewer.subject} onChange={(actor) => change({ actor })} />
      <Select
        label="Integration"
        placeholder="Any"
        data={value.integration && data && !integrations.some((each) => each.value === value.integration) ? [...integrations, { value: value.integration, label: `${value.integration.slice(0, 8)}…` }] : integrations}
        value={value.integration}
        onChange={(integration) => change({ integration })}
        nothingFoundMessage={`${project.name} has none`}
        searchable
        clearable
        clearButtonProps={{ "aria-label": "Any integration" }}
        {...list}
      />
      <Select
        label="Where"
        data={[
          { value: "all", label: "Everywhere" },
          { value: "project", label: `Only ${project.name}` },
        ]}
        value={value.projectOnly ? "project" : "all"}
        onChange={(where) => change({ projectOnly: where === "project" })}
        allowDeselect={false}
        {...list}
      />
      <Select
        label="When"
        placeholder="Any time"
        data={value.range && !ranges.some((each) => each.value === value.range) ? [...ranges, { value: value.range, label: value.range }] : ranges}
        value={value.range}
        onChange={(range) => change({ range, first: null, last: null })}
        clearable
        clearButtonProps={{ "aria-label": "Any time" }}
        {...list}
      />
      {value.range === "days" && (
        <>
          <TextInput type="date" label="From" value={value.first ?? ""} onChange={(event) => change({ first: event.currentTarget.value || null })} />
          <TextInput type="date" label="To" value={value.last ?? ""} onChange={(event) => change({ last: event.currentTarget.value || null })} />
        </>
      )}
      {isNarrowed(value) && (
        <Button variant="default" onClick={() => onChange(readFilters(new URLSearchParams()))}>
          Clear filters
        </Button>
      )}
    </div>
  );
}

/** Whole names alone are looked for: what is typed counts once the field is left, or by Enter. */
function Actor({ value, own, onChange }: { value: string | null; own: string; onChange(value: string | null): void }) {
  const [typed, setTyped] = useState(value ?? "");
  useEffect(() => setTyped(value ?? ""), [value]);
  const done = (text: string) => {
    if ((text.trim() || null) !== value) onChange(text.trim() || null);
  };
  return (
    <Autocomplete
      label="Who"
      placeholder="Anybody"
      data={[...new Set([own, "system", "operator"])]}
      value={typed}
      onChange={setTyped}
      onOptionSubmit={done}
      onBlur={() => done(typed)}
      onKeyDown={(event) => {
        if (event.key === "Enter") done(typed);
      }}
      onClear={() => onChange(null)}
      clearable
      clearButtonProps={{ "aria-label": "Anybody" }}
      {...list}
    />
  );
}
