import { ActionIcon, type ComboboxItem, defaultOptionsFilter, NativeSelect, Select, TextInput } from "@mantine/core";
import { memo, useEffect, useState } from "react";
import { CloseIcon } from "../kit/icons";
import classes from "./integration.module.css";
import { type Faults, isPlace, type Kind, kinds, type Line, type Places, type placesOf } from "./lines";

interface Props {
  line: Line;
  number: number;
  /** None while they are read; null where they cannot be. */
  places: ReturnType<typeof placesOf> | null;
  reading: boolean;
  faults: Faults;
  onChange(line: Line): void;
  onRemove(line: Line): void;
}

/** Drawn again only where something of it is another: a hundred lines choose among thousands of places. */
export const MappingLine = memo(function MappingLine({ line, number, places, reading, faults, onChange, onRemove: removed }: Props) {
  const { kind, externalId, target } = line;
  const { external, target: becomes, help } = kinds[kind];
  const named = isPlace(kind) ? places : null;
  const onRemove = () => removed(line);
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
      <IdField className={classes.across} label={external} value={externalId} places={named && named(kind)} reading={reading} error={faults.externalId} onChange={(value) => onChange({ ...line, externalId: value })} />
      <IdField
        className={classes.across}
        label={becomes}
        description={help}
        value={target}
        places={named && named(null)}
        except={externalId}
        reading={reading}
        error={faults.target}
        onChange={(value) => onChange({ ...line, target: value })}
      />
      <ActionIcon variant="subtle" color="gray" size={34} className={`${classes.remove} ${classes.wide}`} onClick={onRemove} aria-label={`Remove mapping ${number}`}>
        <CloseIcon />
      </ActionIcon>
    </fieldset>
  );
});

interface IdProps {
  className: string | undefined;
  label: string;
  description?: string;
  value: string;
  places: Places | null;
  /** What cannot be chosen. */
  except?: string;
  reading: boolean;
  error: string | undefined;
  onChange(value: string): void;
}

const shown = 100;

/** An id, chosen by its name where names are known. One that has no name can be typed all the same. */
function IdField({ className, label, description, value, places, except, reading, error, onChange }: IdProps) {
  const [search, setSearch] = useState("");
  const [opened, setOpened] = useState(false); // until then it need not look at all of them
  const chosen = places?.byId.get(value) ?? { value, label: value && `Id ${value}` };
  useEffect(() => setSearch(chosen.label), [chosen.label]); // names come later than ids
  const common = { className, label, description, error, inputWrapperOrder: ["label", "input", "description", "error"] as ("label" | "input" | "description" | "error")[] };
  if (!places) return <TextInput {...common} value={value} onChange={(event) => onChange(event.currentTarget.value)} autoComplete="off" spellCheck={false} />;

  const more = value && !(opened && places.byId.has(value)) ? [chosen] : [];
  const typed = search.trim();
  if (typed && typed !== value && typed !== chosen.label && !/\s/.test(typed) && !places.byId.has(typed) && !places.list.some((place) => place.label === search)) more.push({ value: typed, label: `Id ${typed}` });
  return (
    <Select
      {...common}
      data={!opened ? more : more.length > 0 ? [...places.list, ...more] : places.list}
      value={value || null}
      onChange={(chosen) => onChange(chosen ?? "")}
      onDropdownOpen={() => setOpened(true)}
      searchable
      searchValue={search}
      onSearchChange={setSearch}
      limit={shown}
      filter={(input) => {
        const found = defaultOptionsFilter({ ...input, limit: shown + 1 }) as ComboboxItem[];
        return found.filter((place) => place.value !== except).slice(0, shown);
      }}
      maxDropdownHeight={260}
      comboboxProps={{ withinPortal: false }}
      nothingFoundMessage={reading ? "The names are being read…" : "Nothing has this name"}
      placeholder="Choose, or type an id"
    />
  );
}
