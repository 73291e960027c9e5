import { SyncStateFields } from "../catalogue/operations";
import { graphql, type ResultOf } from "../graphql";

const RunFields = graphql(`
  fragment RunFields on SyncRun {
    id
    integrationId
    mode
    trigger
    status
    step
    waitingUntil
    processed
    total
    counts { type created updated unchanged deleted failed }
    failures { type externalId reason }
    error
    requestedBy
    queuedAt
    startedAt
    finishedAt
    estimatedSecondsLeft
  }
`);

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

export const Run = graphql(
  `
    query Run($id: UUID!) {
      syncRun(id: $id) { ...RunFields }
    }
  `,
  [RunFields],
);

export const RunProgress = graphql(
  `
    subscription RunProgress($id: UUID!) {
      syncRunProgress(runId: $id) { ...RunFields }
    }
  `,
  [RunFields],
);

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
export type Node = ResultOf<typeof Structure>["externalStructure"][number];
export type ImportRun = NonNullable<ResultOf<typeof Run>["syncRun"]>;
