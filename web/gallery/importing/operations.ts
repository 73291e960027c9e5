import { SyncStateFields } from "../catalogue/operations";
import { graphql, type ResultOf } from "../graphql";
import { RunFields } from "../runs/operations";

export const ImportTarget = graphql(
  `
    query ImportTarget($id: UUID!) {
      integrationById(id: $id) {
        id
        name
        displayName
        orgId
        projectId
        enabled
        secretChanges { name changedAt }
        hasConfiguration
        settings
        provider {
          name
          displayName
          settingsSchema
          capabilities { supportsImport supportsIncrementalSync }
        }
        syncState { ...SyncStateFields selection }
      }
    }
  `,
  [SyncStateFields],
);

export const Structure = graphql(`
  query Structure($id: UUID!) {
    externalStructure(integrationId: $id) { externalId parentExternalId kind name selectable archived itemCount }
  }
`);

export const LatestRun = graphql(
  `
    query LatestRun($id: UUID!) {
      syncRuns(integrationId: $id, first: 1) { nodes { ...RunFields } }
    }
  `,
  [RunFields],
);

/** What imports of before tell of how long the next one takes. */
export const PastRuns = graphql(`
  query PastRuns($id: UUID!) {
    syncRuns(integrationId: $id, first: 50) {
      nodes { id mode status startedAt finishedAt }
    }
  }
`);

export const StartImport = graphql(
  `
    mutation StartImport($id: UUID!, $input: StartSyncInput!) {
      startSync(integrationId: $id, input: $input) { ...RunFields }
    }
  `,
  [RunFields],
);

export const CancelImport = graphql(
  `
    mutation CancelImport($id: UUID!) {
      cancelSync(runId: $id) { ...RunFields }
    }
  `,
  [RunFields],
);

export type Target = NonNullable<ResultOf<typeof ImportTarget>["integrationById"]>;
export type PastRun = ResultOf<typeof PastRuns>["syncRuns"]["nodes"][number];
export type Node = ResultOf<typeof Structure>["externalStructure"][number];
