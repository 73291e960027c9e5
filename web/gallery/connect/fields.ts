import type { Provider } from "./operations";

/** The part of the form that a setting belongs to. */
export type Section = "credentials" | "workspace" | "import";

/** A setting as a form shows it. */
export interface Field {
  name: string;
  title: string;
  description: string;
  kind: "secret" | "switch" | "number" | "list" | "choice" | "text";
  section: Section;
  required: boolean;
  /** Of several lines, such as a PEM file. */
  long: boolean;
  /** Where the value is found, at the third party. */
  help: string | null;
  /** Chosen from the workspaces that a test lists. */
  fromWorkspaces: boolean;
  choices: string[];
  example: string;
  standard: unknown;
  range: { min?: number; max?: number };
}

/** What of JSON Schema settings use; see docs/api.md. */
interface Property {
  title?: string;
  description?: string;
  type?: string;
  default?: unknown;
  examples?: unknown[];
  enum?: string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  writeOnly?: boolean;
  contentMediaType?: string;
  "x-help"?: string;
  "x-section"?: Section;
  "x-choices"?: string;
}

interface Schema {
  required?: string[];
  properties?: Record<string, Property>;
}

/** The settings of a provider, section by section: the required ones first, secrets after what they belong to, switches and numbers last. */
export function fieldsOf(provider: Pick<Provider, "settingsSchema">): Field[] {
  const { properties = {}, required = [] } = provider.settingsSchema as Schema;
  const fields = Object.entries(properties).map(([name, property]) => field(name, property, required.includes(name)));
  return fields.sort((a, b) => rank(a) - rank(b));
}

const sections: Section[] = ["credentials", "workspace", "import"];

function rank({ section, required, kind }: Field): number {
  return sections.indexOf(section) * 10 + (required ? 0 : 4) + ["secret", "switch", "number"].indexOf(kind);
}

function field(name: string, property: Property, required: boolean): Field {
  const example = property.examples?.[0];
  return {
    name,
    title: property.title ?? name,
    description: property.description ?? "",
    kind: kind(property),
    section: property["x-section"] ?? (property.writeOnly ? "credentials" : "import"),
    required,
    long: property.contentMediaType !== undefined || (!property.writeOnly && (property.maxLength ?? 0) > 1_000),
    help: safeLink(property["x-help"]),
    fromWorkspaces: property["x-choices"] === "workspaces",
    choices: property.enum ?? [],
    example: Array.isArray(example) ? example.join("\n") : example === undefined ? "" : String(example),
    standard: property.default,
    range: { ...(property.minimum === undefined ? {} : { min: property.minimum }), ...(property.maximum === undefined ? {} : { max: property.maximum }) },
  };
}

function kind({ type, writeOnly, enum: choices }: Property): Field["kind"] {
  if (writeOnly) return "secret";
  if (choices) return "choice";
  if (type === "boolean") return "switch";
  if (type === "integer") return "number";
  return type === "array" ? "list" : "text";
}

/** Only what leads to a web page. */
export function safeLink(address: string | null | undefined): string | null {
  return address?.startsWith("https://") ? address : null;
}

/** The id of a field's control in the page. */
export const controlId = (name: string) => `setting-${name}`;
