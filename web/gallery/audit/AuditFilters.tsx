import { Autocomplete, Button, Select, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { useScope } from "../shell/scope";
import { useSignedIn } from "../shell/session";
import classes from "./audit.module.css";
import { type Filters, isNarrowed, ranges, readFilters } from "./filters";
import type { NamedIntegration } from "./operations";
import { actionInWords, knownActions } from "./words";

interface Props {
  value: Filters;
  onChange(value: Filters): void;
  /** The log is of one integration. */
  ofOne: boolean;
  /** Those to choose from; undefined while they are read. */
  integrations: NamedIntegration[] | undefined;
  /** Reads the log again. */
  onAgain(): void;
}

// The list scrolls by itself, as the keyboard moves in it.
const list = {
  comboboxProps: { withinPortal: false, width: "max-content", position: "bottom-start" },
  withScrollArea: false,
  classNames: { options: classes.options },
} as const;

export function AuditFilters({ value, onChange, ofOne, integrations, onAgain }: Props) {
  const { project } = useScope();
  const { viewer } = useSignedIn();
  const change = (part: Partial<Filters>) => onChange({ ...value, ...part });
  const known = knownActions({ ofOne });
  const actions = (value.action && !known.includes(value.action) ? [...known, value.action] : known).map((action) => ({ value: action, label: actionInWords(action) }));
  const named = integrations?.map(({ id, name, displayName }) => ({ value: id, label: displayName === name ? name : `${displayName} (${name})` })) ?? [];

  return (
    <div className={classes.filters} role="search" aria-label="Narrow the audit log">
      <Select
        label="Action"
        placeholder="Any"
        data={actions}
        value={value.action}
        onChange={(action) => change({ action })}
        searchable
        clearable
        clearButtonProps={{ "aria-label": "Any action" }}
        {...list}
      />
      <Actor value={value.actor} own={viewer.subject} onChange={(actor) => change({ actor })} />
      {!ofOne && (
        <>
          <Select
            label="Integration"
            placeholder="Any"
            data={value.integration && integrations && !named.some((each) => each.value === value.integration) ? [...named, { value: value.integration, label: `${value.integration.slice(0, 8)}…` }] : named}
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
        </>
      )}
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
      <Button variant="default" onClick={onAgain} style={{ justifySelf: "start" }}>
        Look again
      </Button>
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
