import { initGraphQLTada } from "gql.tada";
import type { introspection } from "./schema";

/** Writes an operation or fragment, checked against the schema: its result and its variables are typed by it. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  disableMasking: true;
  scalars: {
    ID: string;
    UUID: string;
    /** RFC 3339, UTC. */
    Time: string;
    Map: Record<string, unknown>;
  };
}>();

export type { FragmentOf, ResultOf, VariablesOf } from "gql.tada";
