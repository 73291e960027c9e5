import { ActionIcon, NativeSelect, Select, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { CloseIcon } from "../kit/icons";
import classes from "./integration.module.css";
import { choices, type Faults, isPlace, type Kind, kinds, type Line } from "./lines";
import type { Node } from "./operations";

interface Props {
  line: Line;
  number: number;
  /** None while they are read; null where they cannot be. */
  nodes: Node[] | null;
  reading: boolean;
  faults: Faults;
  onChange(line: Line): void;
  onRemove(): void;
}

export function MappingLine({ line, number, nodes, reading, faults, onChange, onRemove }: Props) {
  const { kind, externalId, target } = line;
  const { external, target: becomes, help } = kinds[kind];
  const places = nodes && isPlace(kind) ? nodes : null;
  return (
    <fieldset className={classes.mapping} aria-label={`Mapping ${number}`}>
      <NativeSelect
        label="What"
        value={kind}
        error={faults.kind}
        onChange={(event) => onChange({ ...line, kind: event.currentTarget.value as Kind })}
        data={(Object.keys(kinds) as Kind[]).map((value) => ({ value, label: kinds[value].name }))}
      />
      <ActionIcon variant="subtle" color="gray" size={34} className={`${classes.remove} ${classes.narrow}`} onClick={onRemove} aria-label={`Remove mapping ${number}`}>
        <CloseIcon />
      </ActionIcon>
      <IdField className={classes.across} label={external} value={externalId} options={places && choices(places, kind)} reading={reading} error={faults.externalId} onChange={(value) => onChange({ ...line, externalId: value })} />
      <IdField
        className={classes.across}
        label={becomes}
        description={help}
        value={target}
        options={places && choices(places, null).filter(({ value }) => value !== externalId)}
        reading={reading}
        error={faults.target}
        onChange={(value) => onChange({ ...line, target: value })}
      />
      <ActionIcon variant="subtle" color="gray" size={34} className={`${classes.remove} ${classes.wide}`} onClick={onRemove} aria-label={`Remove mapping ${number}`}>
        <CloseIcon />
      </ActionIcon>
    </fieldset>
  );
}

interface IdProps {
  className: string | undefined;
  label: string;
  description?: string;
  value: string;
  options: { value: string; label: string }[] | null;
  reading: boolean;
  error: string | undefined;
  onChange(value: string): void;
}

/** An id, chosen by its name where names are known. One that has no name can be typed all the same. */
function IdField({ className, label, description, value, options, reading, error, onChange }: IdProps) {
  const [search, setSearch] = useState("");
  const chosen = options?.find((option) => option.value === value)?.label ?? (value && `Id ${value}`);
  useEffect(() => setSearch(chosen), [chosen]); // names come later than ids
  const common = { className, label, description, error, inputWrapperOrder: ["label", "input", "description", "error"] as ("label" | "input" | "description" | "error")[] };
  if (!options) return <TextInput {...common} value={value} onChange={(event) => onChange(event.currentTarget.value)} autoComplete="off" spellCheck={false} />;

  const data = [...options];
  if (value && !options.some((option) => option.value === value)) data.push({ value, label: chosen });
  const typed = search.trim();
  if (typed && !/\s/.test(typed) && !data.some((option) => option.value === typed || option.label === search)) data.push({ value: typed, label: `Id ${typed}` });
  return (
    <Select
      {...common}
      data={data}
      value={value || null}
      onChange={(chosen) => onChange(chosen ?? "")}
      searchable
      searchValue={search}
      onSearchChange={setSearch}
      limit={100}
      maxDropdownHeight={260}
      comboboxProps={{ withinPortal: false }}
      nothingFoundMessage={reading ? "The names are being read…" : "Nothing has this name"}
      placeholder="Choose, or type an id"
    />
  );
}
