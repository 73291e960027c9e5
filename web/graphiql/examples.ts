import type { Viewer } from "../shared/session";
import { send } from "../shared/api";

/** One tab that GraphiQL opens with. */
export interface Example {
  query: string;
  variables: string;
}

/** What the examples' variables are filled in with. */
export interface Ids {
  orgId: string;
  /** The first project there is, or else the one that the example creates. */
  projectId: string;
  newProjectId: string;
}

const queries = import.meta.glob<string>("./examples/*.graphql", { query: "?raw", import: "default", eager: true });
const variables = import.meta.glob<string>("./examples/*.json", { query: "?raw", import: "default", eager: true });

/** The example operations, in the order of their file names. */
export function examples(ids: Ids): Example[] {
  const values: Record<string, string> = { ...ids };
  return Object.keys(queries)
    .sort()
    .map((path) => ({
      query: queries[path] ?? "",
      variables: (variables[path.replace(/\.graphql$/, ".json")] ?? "")
        .trimEnd()
        // The result goes between quotes: escaped as JSON, without its own.
        .replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => JSON.stringify(values[name] ?? "").slice(1, -1)),
    }));
}

/** Looks up what the viewer can use; makes up the rest. */
export async function findIds(viewer: Viewer | null, apiKey: string | null): Promise<Ids> {
  const newProjectId = uuid();
  const orgId = viewer?.orgId ?? "local";
  const found = viewer?.orgId ? await firstProject(viewer.orgId, apiKey) : undefined;
  return { orgId, projectId: found ?? newProjectId, newProjectId };
}

async function firstProject(orgId: string, apiKey: string | null): Promise<string | undefined> {
  const query = "query FirstProject($orgId: ID!) { projects(orgId: $orgId, first: 1) { nodes { id } } }";
  try {
    const answer = await send<{ projects: { nodes: { id: string }[] } }>(
      { query, operationName: "FirstProject", variables: { orgId } },
      apiKey,
    );
    return answer.data?.projects.nodes[0]?.id;
  } catch {
    return undefined;
  }
}

/** A random UUID. crypto.randomUUID is missing where the page is served over plain HTTP. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = "89ab".charAt((bytes[8] ?? 0) & 3);
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, variant + hex.slice(17, 20), hex.slice(20)].join("-");
}
