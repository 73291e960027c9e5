import { SyncStateFields } from "../catalogue/operations";
import { graphql, type ResultOf } from "../graphql";
import { RunFields } from "../runs/operations";

const WholeState = graphql(
  `
    fragment WholeState on SyncState {
      ...SyncStateFields
      workspaceId
      selection
      schedule { everyMinutes cron timeZone }
      mappings { kind externalId target }
    }
  `,
  [SyncStateFields],
);

export const IntegrationById = graphql(
  `
    query IntegrationById($id: UUID!) {
      integrationById(id: $id) {
        id
        name
        displayName
        description
        enabled
        logoUrl
        projectId
        settings
        configuredSecrets
        secretChanges { name changedAt }
        hasConfiguration
        createdAt
        provider {
          name
          displayName
          description
          logoUrl
          documentationUrl
          settingsSchema
          capabilities {
            supportsImport
            supportsIncrementalSync
            supportsWebhooks
            supportsBidirectionalSync
          }
        }
        webhook { url hasSecret registered lastDeliveryAt }
        syncState { ...WholeState }
      }
    }
  `,
  [WholeState],
);

export const StateChanged = graphql(
  `
    subscription StateChanged($orgId: ID!, $projectId: UUID!) {
      syncStateChanged(orgId: $orgId, projectId: $projectId) { ...WholeState }
    }
  `,
  [WholeState],
);

export const TryConnection = graphql(`
  mutation TryConnection($integrationId: UUID!) {
    testConnection(integrationId: $integrationId) { ok message account latencyMs checkedAt }
  }
`);

/** How many objects there are of each type, and how many deliveries were given up. */
export const Counts = graphql(`
  query Counts($id: UUID!) {
    TASK: syncedObjects(integrationId: $id, filter: { type: TASK }, first: 1) { totalCount }
    COMMENT: syncedObjects(integrationId: $id, filter: { type: COMMENT }, first: 1) { totalCount }
    DOCUMENT: syncedObjects(integrationId: $id, filter: { type: DOCUMENT }, first: 1) { totalCount }
    COLLECTION: syncedObjects(integrationId: $id, filter: { type: COLLECTION }, first: 1) { totalCount }
    PROJECT: syncedObjects(integrationId: $id, filter: { type: PROJECT }, first: 1) { totalCount }
    USER: syncedObjects(integrationId: $id, filter: { type: USER }, first: 1) { totalCount }
    ORGANIZATION: syncedObjects(integrationId: $id, filter: { type: ORGANIZATION }, first: 1) { totalCount }
    failed: webhookDeliveries(integrationId: $id, status: FAILED, first: 1) { totalCount }
  }
`);

/** What a list needs; a SyncedObject's own page asks for the rest. */
export const Objects = graphql(`
  query Objects($id: UUID!, $filter: SyncedObjectFilter, $after: String) {
    syncedObjects(integrationId: $id, filter: $filter, first: 50, after: $after) {
      nodes { id type title externalId externalUrl externalUpdatedAt syncedAt deletedAt }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const CountObjects = graphql(`
  query CountObjects($id: UUID!, $filter: SyncedObjectFilter) {
    syncedObjects(integrationId: $id, filter: $filter, first: 1) { totalCount }
  }
`);

export const ObjectByExternalId = graphql(`
  query ObjectByExternalId($integrationId: UUID!, $externalId: String!) {
    syncedObject(integrationId: $integrationId, externalId: $externalId) {
      id
      type
      title
      content
      properties
      externalId
      externalUrl
      externalParentId
      externalUpdatedAt
      syncedAt
      deletedAt
      relationships { type target { id type title externalId } }
    }
  }
`);

export const CommentsOn = graphql(`
  query CommentsOn($id: UUID!, $externalId: String!) {
    syncedObjects(integrationId: $id, filter: { externalParentId: $externalId, type: COMMENT }, first: 50) {
      nodes { id type title content externalId externalParentId externalUpdatedAt }
      totalCount
    }
  }
`);

export const ObjectTitle = graphql(`
  query ObjectTitle($integrationId: UUID!, $externalId: String!) {
    syncedObject(integrationId: $integrationId, externalId: $externalId) { id title }
  }
`);

export const Runs = graphql(
  `
    query Runs($id: UUID!, $after: String) {
      syncRuns(integrationId: $id, first: 20, after: $after) {
        nodes { ...RunFields }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  [RunFields],
);

export const Deliveries = graphql(`
  query Deliveries($id: UUID!, $status: WebhookDeliveryStatus, $after: String) {
    webhookDeliveries(integrationId: $id, status: $status, first: 20, after: $after) {
      nodes { id deliveryId event status attempts error receivedAt processedAt }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const Replay = graphql(`
  mutation Replay($id: UUID!) {
    replayWebhookDelivery(id: $id) { id status attempts error processedAt }
  }
`);

export const Structure = graphql(`
  query Structure($integrationId: UUID!) {
    externalStructure(integrationId: $integrationId) { externalId parentExternalId kind name archived }
  }
`);

export const SetMappings = graphql(
  `
    mutation SetMappings($integrationId: UUID!, $mappings: [SyncMappingInput!]!) {
      updateSyncMappings(integrationId: $integrationId, mappings: $mappings) {
        id
        mappings { kind externalId target }
      }
    }
  `,
);

export type Integration = NonNullable<ResultOf<typeof IntegrationById>["integrationById"]>;
export type ListedObject = ResultOf<typeof Objects>["syncedObjects"]["nodes"][number];
export type Delivery = ResultOf<typeof Deliveries>["webhookDeliveries"]["nodes"][number];
export type Mapping = Integration["syncState"]["mappings"][number];
export type Node = ResultOf<typeof Structure>["externalStructure"][number];
export type SyncedObject = NonNullable<ResultOf<typeof ObjectByExternalId>["syncedObject"]>;
