import { Badge, Checkbox } from "@mantine/core";
import { type CSSProperties, type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { ChevronIcon } from "../kit/icons";
import { count } from "../kit/words";
import classes from "./importing.module.css";
import type { Row } from "./rows";
import type { Status } from "./selection";
import type { Place } from "./structure";

/** How high a line is, in pixels, and how many are drawn beyond those in sight. */
const high = 36;
const beyond = 8;

interface Props {
  label: string;
  /** How many lines there are when all is open. */
  whole: number;
  rows: readonly Row[];
  statusOf(place: Place): Status;
  /** Whether a place is left out even where it is selected. */
  leftOut(place: Place): boolean;
  onToggle(place: Place): void;
  /** Opens a place, or closes it. */
  onFlip(place: Place): void;
}

/**
 * A tree with checkboxes of three states. Each line is a treeitem that says its own name and state, and only those in
 * sight exist, which is why it is not Mantine's.
 */
export function Tree({ label, whole, rows, statusOf, leftOut, onToggle, onFlip }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 480 });
  const [activeId, setActiveId] = useState<string | null>(null);
  const active = Math.max(0, rows.findIndex(({ place }) => place.id === activeId));
  const moving = useRef(false);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight });
    measure();
    element.addEventListener("scroll", measure, { passive: true });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", measure);
      observer.disconnect();
    };
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (!moving.current || !element) return;
    moving.current = false;
    element.querySelector<HTMLElement>(`[data-at="${active}"]`)?.focus({ preventScroll: true });
    const top = active * high;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + high > element.scrollTop + element.clientHeight) element.scrollTop = top + high - element.clientHeight;
  });

  function move(to: number) {
    const row = rows[Math.min(Math.max(to, 0), rows.length - 1)];
    if (!row) return;
    moving.current = true;
    setActiveId(row.place.id);
  }
  function press(event: KeyboardEvent) {
    const row = rows[active];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const { place, open } = row;
    const page = Math.max(1, Math.floor(view.height / high) - 1);
    const keys: Record<string, () => void> = {
      ArrowDown: () => move(active + 1),
      ArrowUp: () => move(active - 1),
      PageDown: () => move(active + page),
      PageUp: () => move(active - page),
      Home: () => move(0),
      End: () => move(rows.length - 1),
      ArrowRight: () => (place.children.length > 0 && !open ? onFlip(place) : open && move(active + 1)),
      ArrowLeft: () => (open ? onFlip(place) : place.parent && move(rows.findIndex((other) => other.place === place.parent))),
      " ": () => onToggle(place),
      Enter: () => onToggle(place),
    };
    const act = keys[event.key] ?? (/^\S$/.test(event.key) ? () => move(next(event.key.toLowerCase())) : null);
    if (!act) return;
    event.preventDefault();
    act();
  }
  /** The next line whose name begins so. */
  function next(letter: string): number {
    const order = [...rows.keys()].map((i) => (active + 1 + i) % rows.length);
    return order.find((i) => rows[i]?.place.name.toLowerCase().startsWith(letter)) ?? active;
  }

  const from = Math.floor(view.top / high) - beyond;
  const to = Math.ceil((view.top + view.height) / high) + beyond;
  return (
    <div
      ref={box}
      role="tree"
      aria-label={label}
      aria-multiselectable="true"
      className={`${classes.tree} ${classes.scrolls}`}
      style={{ "--whole": `${whole * high + 2}px` } as CSSProperties}
      onKeyDown={press}
    >
      <div role="presentation" className={classes.rows} style={{ height: rows.length * high }}>
        {rows.map((row, i) =>
          (i >= from && i < to) || i === active ? (
            <Line
              key={row.place.id}
              row={row}
              at={i}
              active={i === active}
              status={statusOf(row.place)}
              leftOut={leftOut(row.place)}
              onFocus={() => setActiveId(row.place.id)}
              onToggle={onToggle}
              onFlip={onFlip}
            />
          ) : null,
        )}
      </div>
    </div>
  );
}

interface LineProps extends Pick<Props, "onToggle" | "onFlip"> {
  row: Row;
  at: number;
  active: boolean;
  status: Status;
  leftOut: boolean;
  onFocus(): void;
}

const checked = { all: true, some: "mixed", none: false } as const;

function Line({ row: { place, open, position, among }, at, active, status, leftOut, onFocus, onToggle, onFlip }: LineProps) {
  const { name, kind, archived, items, children, depth, first, end } = place;
  const choosable = end > first;
  return (
    <div
      role="treeitem"
      aria-level={depth + 1}
      aria-posinset={position}
      aria-setsize={among}
      aria-checked={choosable ? checked[status] : undefined}
      aria-disabled={!choosable || undefined}
      aria-expanded={children.length > 0 ? open : undefined}
      tabIndex={active ? 0 : -1}
      data-at={at}
      data-left-out={leftOut || undefined}
      className={classes.line}
      style={{ top: at * high, height: high, paddingLeft: 8 + depth * 20 }}
      onFocus={onFocus}
      onClick={() => choosable && onToggle(place)}
    >
      <span
        className={classes.fold}
        data-open={open || undefined}
        onClick={(event) => {
          if (children.length === 0) return;
          event.stopPropagation();
          onFlip(place);
        }}
      >
        {children.length > 0 && <ChevronIcon size={14} />}
      </span>
      <Checkbox.Indicator size="xs" checked={status === "all"} indeterminate={status === "some"} disabled={!choosable} />
      <span className={classes.name} title={name}>
        {name}
        <span className={classes.unseen}>, {kind}</span>
      </span>
      {archived && (
        <Badge variant="default" size="xs" tt="none" fw={500} className={classes.badge}>
          archived<span className={classes.aside}>{leftOut && ", left out"}</span>
        </Badge>
      )}
      {items !== null && (
        <span className={classes.items}>
          {count(items)}
          <span className={classes.unseen}> {items === 1 ? "item" : "items"}</span>
        </span>
      )}
    </div>
  );
}
