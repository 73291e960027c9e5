import { type Cache, cacheExchange, type UpdateResolver } from "@urql/exchange-graphcache";

// Results are kept by id, so that what a mutation or a subscription tells of an object shows wherever it is. What follows
// from a mutation beyond its own result is said here; a query that is left without data asks again.

/** Has the queries of these names ask again, with whatever arguments. */
function forget(cache: Cache, ...fields: string[]) {
  for (const { fieldName, fieldKey } of cache.inspectFields("Query")) {
    if (fields.includes(fieldName)) cache.invalidate("Query", fieldKey);
  }
}

const asksAgain =
  (...fields: string[]): UpdateResolver =>
  (_result, _args, cache) =>
    forget(cache, ...fields);

/** Whether a list of the project's integrations that is known has this one in it. */
function isListed(cache: Cache, projectId: unknown, key: string | null): boolean {
  return cache
    .inspectFields("Query")
    .filter((field) => field.fieldName === "gallery" && field.arguments?.projectId === projectId)
    .flatMap(({ fieldKey }) => cache.resolve("Query", fieldKey) as string[] | null)
    .some((entry) => ((cache.resolve(entry, "integrations") as string[] | null) ?? []).includes(key ?? ""));
}

/** What a provider's structure is read by, as far as it is known. */
function credentials(cache: Cache, key: string): string {
  const changes = cache.resolve(key, "secretChanges") as string[] | null | undefined;
  const known = changes?.map((change) => [cache.resolve(change, "name"), cache.resolve(change, "changedAt")]);
  return JSON.stringify([cache.resolve(key, "settings"), known]);
}

/** The same as it is told. */
function credentialsOf({ settings, secretChanges }: Told): string {
  return JSON.stringify([settings, secretChanges.map(({ name, changedAt }) => [name, changedAt])]);
}

interface Told {
  settings: unknown;
  secretChanges: { name: string; changedAt: string }[];
}

/** Has what the provider was asked about an integration be asked again. */
function forgetStructure(cache: Cache, integrationId: string) {
  for (const { fieldName, fieldKey, arguments: given } of cache.inspectFields("Query")) {
    if (fieldName === "externalStructure" && given?.integrationId === integrationId) cache.invalidate("Query", fieldKey);
  }
}

/** What has no id of its own belongs to what it is in. */
const embedded = () => null;

export const cache = cacheExchange({
  keys: {
    Provider: ({ name }) => (name as string | undefined) ?? null,
    Viewer: embedded,
    GalleryEntry: embedded,
    IntegrationChange: embedded,
    ProviderCapabilities: embedded,
    WebhookEndpoint: embedded,
    SyncCursor: embedded,
    SyncMapping: embedded,
    SecretChange: embedded,
    SyncSchedule: embedded,
    SyncCount: embedded,
    SyncFailure: embedded,
    ExternalNode: embedded, // its id is one of the provider's
    ExternalAccount: embedded,
    ConnectionTest: embedded,
    WebhookSecret: embedded,
    CreatedApiKey: embedded,
    EncryptionStatus: embedded,
    SealedRows: embedded,
    Relationship: embedded,
    PageInfo: embedded,
    ProjectConnection: embedded,
    ProjectEdge: embedded,
    PublicIntegrationConnection: embedded,
    PublicIntegrationEdge: embedded,
    SyncRunConnection: embedded,
    SyncRunEdge: embedded,
    SyncedObjectConnection: embedded,
    SyncedObjectEdge: embedded,
    WebhookDeliveryConnection: embedded,
    WebhookDeliveryEdge: embedded,
    AuditEventConnection: embedded,
    AuditEventEdge: embedded,
  },
  resolvers: {
    Query: {
      // One that another query or a subscription told of.
      syncRun: (_parent, { id }) => ({ __typename: "SyncRun", id: id as string }),
    },
  },
  updates: {
    Mutation: {
      createProject: asksAgain("projects"),
      createIntegration: asksAgain("gallery", "integrations", "integration", "syncStates"),
      // Enabling alone changes nothing of what is there, which costs the provider's budget to read.
      updateIntegration: (_result, { input }, cache) => {
        if ((input as { settings?: unknown }).settings) forget(cache, "externalStructure");
      },
      deleteIntegration: asksAgain("gallery", "integrations", "integration", "integrationById", "syncStates"),
      startSync: asksAgain("gallery", "integrationById", "syncStates", "syncRuns"),
      cancelSync: asksAgain("gallery", "integrationById", "syncStates", "syncRuns"),
      registerWebhook: asksAgain("webhookDeliveries"),
      replayWebhookDelivery: asksAgain("webhookDeliveries"),
      createApiKey: asksAgain("apiKeys"),
      revokeApiKey: asksAgain("apiKeys"), // its sessions end with it
      rotateEncryptionKey: asksAgain("encryptionStatus"),
      rotateWebhookSecret: asksAgain("integrationById", "gallery"),
    },
    IntegrationChange: {
      // By its first field, before what is told takes the place of what is known.
      integrationId({ integrationId, integration }, _args, cache) {
        const key = cache.keyOfEntity({ __typename: "PublicIntegration", id: integrationId as string });
        if (key && integration && credentials(cache, key) !== credentialsOf(integration as unknown as Told)) forgetStructure(cache, integrationId as string);
      },
    },
    Subscription: {
      integrationChanged(result, { projectId }, cache) {
        const { integrationId, integration } = result.integrationChanged as { integrationId: string; integration: object | null };
        const gone = integration === null;
        if (gone) forget(cache, "integrationById");
        if (gone || !isListed(cache, projectId, cache.keyOfEntity({ __typename: "PublicIntegration", id: integrationId }))) forget(cache, "gallery", "integrations", "integration", "syncStates");
      },
    },
  },
});
