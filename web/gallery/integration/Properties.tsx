import type { ReactNode } from "react";
import { Facts } from "../kit/Facts";
import { exact, inWords } from "../kit/words";
import { Outward } from "./Outward";
import { quantity } from "./words";

/** What a provider tells of an object, whatever that is. */
export function Properties({ of: properties }: { of: Record<string, unknown> }) {
  return (
    <Facts>
      {Object.entries(properties).map(([name, value]) => (
        <Property key={name} name={name} value={value} />
      ))}
    </Facts>
  );
}

function Property({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{inWords(name)}</dt>
      <dd>{show(name, value)}</dd>
    </>
  );
}

function show(name: string, value: unknown): ReactNode {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "number") return quantity(name, value);
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return value.length === 0 ? "–" : value.map((each, n) => <span key={n}>{n > 0 && ", "}{show(name, each)}</span>);
  const named = value as { id?: unknown; name?: unknown; title?: unknown; url?: unknown };
  const label = named.name ?? named.title;
  if (typeof label === "string") return typeof named.url === "string" ? <Outward href={named.url}>{label}</Outward> : label;
  return <Properties of={value as Record<string, unknown>} />;
}

function text(value: string): ReactNode {
  if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(value)) return <time dateTime={value}>{exact(new Date(value))}</time>;
  if (/^https?:\/\/\S+$/.test(value)) return <Outward href={value}>{value}</Outward>;
  return value;
}
