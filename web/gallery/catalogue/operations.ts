import { graphql, type ResultOf } from "../graphql";

/** How a synchronisation stands: the same fields wherever they are asked for or told, so that one keeps the other true. */
export const SyncStateFields = graphql(`
  fragment SyncStateFields on SyncState {
    id
    integrationId
    status
    lastSyncAt
    lastSuccessfulSync
    error
    totalSynced
    workspaceName
    consecutiveFailures
    nextSyncAt
    updatedAt
    currentRun {
      id
      status
      trigger
      step
      waitingUntil
      processed
      total
      estimatedSecondsLeft
    }
  }
`);

export const Gallery = graphql(
  `
    query Gallery($orgId: ID!, $projectId: UUID!) {
      gallery(orgId: $orgId, projectId: $projectId) {
        provider {
          name
          displayName
          description
          logoUrl
          settingsSchema
          capabilities {
            supportsImport
            supportsIncrementalSync
            supportsWebhooks
            supportsBidirectionalSync
          }
        }
        integrations {
          id
          name
          displayName
          description
          enabled
          settings
          configuredSecrets
          hasConfiguration
          syncState { ...SyncStateFields }
        }
      }
    }
  `,
  [SyncStateFields],
);

export const SyncStateChanged = graphql(
  `
    subscription SyncStateChanged($orgId: ID!, $projectId: UUID!) {
      syncStateChanged(orgId: $orgId, projectId: $projectId) { ...SyncStateFields }
    }
  `,
  [SyncStateFields],
);

export const SetEnabled = graphql(`
  mutation SetEnabled($orgId: ID!, $projectId: UUID!, $name: String!, $enabled: Boolean!) {
    updateIntegration(orgId: $orgId, projectId: $projectId, name: $name, input: { enabled: $enabled }) { id enabled revision }
  }
`);

export const SyncNow = graphql(`
  mutation SyncNow($integrationId: UUID!) {
    startSync(integrationId: $integrationId, input: { mode: INCREMENTAL }) { id }
  }
`);

export const CancelSync = graphql(`
  mutation CancelSync($runId: UUID!) {
    cancelSync(runId: $runId) { id status }
  }
`);

export const DeleteIntegration = graphql(`
  mutation DeleteIntegration($orgId: ID!, $projectId: UUID!, $name: String!) {
    deleteIntegration(orgId: $orgId, projectId: $projectId, name: $name)
  }
`);

export type Entry = ResultOf<typeof Gallery>["gallery"][number];
export type Provider = Entry["provider"];
export type Integration = Entry["integrations"][number];
export type Run = NonNullable<Integration["syncState"]["currentRun"]>;
