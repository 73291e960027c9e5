import { ActionIcon, Button, Skeleton, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { type CSSProperties, type KeyboardEvent, useDeferredValue, useMemo, useState } from "react";
import { RepeatIcon, SearchIcon } from "../kit/icons";
import { When } from "../kit/When";
import classes from "./importing.module.css";
import { matches, rowsOf } from "./rows";
import { all, type Chosen, choose, status, toggle } from "./selection";
import type { Place, Structure } from "./structure";
import { Tree } from "./Tree";

/** Up to so many places are all open at first. */
const few = 40;
/** From so many places on they can be searched. */
const many = 15;

interface Props {
  structure: Structure;
  chosen: Chosen;
  /** Whether what is archived is imported. */
  archived: boolean;
  /** When the structure was read. */
  at: Date | null;
  /** It is being read anew. */
  reading: boolean;
  onChange(chosen: Chosen): void;
  onRead(): void;
}

/** The provider's hierarchy, to choose from. */
export function StructureField({ structure, chosen, archived, at, reading, onChange, onRead }: Props) {
  const [search, setSearch] = useState("");
  const sought = useDeferredValue(search.trim());
  // Places that somebody opened or closed, other than they are by themselves; while searching, others.
  const [flipped, setFlipped] = useState<ReadonlySet<string>>(new Set());
  const [flippedSearching, setFlippedSearching] = useState<ReadonlySet<string>>(new Set());
  const [first] = useState(chosen);

  const rows = useMemo(() => {
    const asAtFirst = (place: Place) => place.depth === 0 || structure.byId.size <= few || status(structure, place, first) === "some";
    return rowsOf(structure, sought, (place, onTheWay) => (sought ? onTheWay !== flippedSearching.has(place.id) : asAtFirst(place) !== flipped.has(place.id)));
  }, [structure, sought, first, flipped, flippedSearching]);

  function flip({ id }: Place) {
    const change = (set: ReadonlySet<string>) => new Set(set.has(id) ? [...set].filter((other) => other !== id) : [...set, id]);
    if (sought) setFlippedSearching(change);
    else setFlipped(change);
  }
  function searchFor(text: string) {
    setSearch(text);
    setFlippedSearching(new Set());
  }
  function escape(event: KeyboardEvent) {
    if (event.key !== "Escape" || !search) return;
    event.stopPropagation();
    searchFor("");
  }
  function everything(selected: boolean) {
    if (sought) onChange(choose(structure, chosen, matches(structure, sought), selected));
    else onChange(selected ? all(structure) : new Set<string>());
  }

  return (
    <div className={classes.field}>
      <div className={classes.toolbar}>
        {structure.byId.size >= many && (
          <TextInput
            className={classes.search}
            aria-label="Search what to import"
            placeholder="Search"
            size="xs"
            leftSection={<SearchIcon size={14} />}
            value={search}
            onChange={(event) => searchFor(event.currentTarget.value)}
            onKeyDown={escape}
            data-mantine-stop-propagation={search ? "true" : undefined}
          />
        )}
        <Button size="compact-sm" variant="default" onClick={() => everything(true)}>
          {sought ? "Select found" : "Select all"}
        </Button>
        <Button size="compact-sm" variant="default" onClick={() => everything(false)}>
          {sought ? "None of them" : "None"}
        </Button>
        <Text size="sm" c="dimmed" ml="auto">
          {at && (
            <>
              Read <When at={at.toISOString()} />
            </>
          )}
        </Text>
        <Tooltip label="Read it anew">
          <ActionIcon variant="subtle" color="gray" loading={reading} onClick={onRead} aria-label="Read anew what there is">
            <RepeatIcon />
          </ActionIcon>
        </Tooltip>
      </div>
      {rows.length > 0 ? (
        <Tree
          label="What to import"
          whole={structure.byId.size}
          rows={rows}
          statusOf={(place) => status(structure, place, chosen)}
          leftOut={(place) => place.shelved && !archived}
          onToggle={(place) => onChange(toggle(structure, chosen, place))}
          onFlip={flip}
        />
      ) : (
        <Text size="sm" c="dimmed" py="md" ta="center" className={classes.tree}>
          Nothing is called that.
        </Text>
      )}
    </div>
  );
}

export function StructureSkeleton({ provider }: { provider: string }) {
  return (
    <div aria-busy="true" className={classes.field}>
      <Text size="sm" c="dimmed" role="status">
        {provider} is asked what there is to import…
      </Text>
      <Stack gap={22} p="sm" className={classes.tree} aria-hidden="true" style={{ "--whole": "360px" } as CSSProperties}>
        {[35, 50, 44, 61, 40, 53, 47, 58].map((width, i) => (
          <Skeleton key={width} height={14} width={`${width}%`} ml={i === 0 ? 0 : i % 3 === 1 ? 24 : 48} />
        ))}
      </Stack>
    </div>
  );
}
