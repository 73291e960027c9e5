import { SyncStateFields } from "../catalogue/operations";
import { graphql, type ResultOf, type VariablesOf } from "../graphql";

const ProviderFields = graphql(`
  fragment ConnectProviderFields on Provider {
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
      supportsWebhookRegistration
      supportsBidirectionalSync
    }
  }
`);

/** What is configured, as it is stored. */
const ConfigurationFields = graphql(
  `
    fragment ConfigurationFields on PublicIntegration {
      id
      projectId
      name
      displayName
      description
      enabled
      revision
      settings
      configuredSecrets
      secretChanges { name changedAt }
      hasConfiguration
      webhook { url hasSecret registered lastDeliveryAt }
      syncState {
        ...SyncStateFields
        workspaceId
        schedule { everyMinutes cron timeZone }
      }
    }
  `,
  [SyncStateFields],
);

/** A provider, with the names that integrations of the project have already. */
export const ProviderToConnect = graphql(
  `
    query ProviderToConnect($orgId: ID!, $projectId: UUID!, $name: String!) {
      provider(name: $name) { ...ConnectProviderFields }
      integrations(orgId: $orgId, projectId: $projectId, first: 200) {
        nodes { id name displayName provider { name } }
      }
    }
  `,
  [ProviderFields],
);

export const IntegrationToConfigure = graphql(
  `
    query IntegrationToConfigure($id: UUID!) {
      integrationById(id: $id) {
        ...ConfigurationFields
        provider { ...ConnectProviderFields }
      }
    }
  `,
  [ConfigurationFields, ProviderFields],
);

/** The last change of this kind of an integration, for who may read the audit trail. */
export const LastChange = graphql(`
  query LastChange($orgId: ID!, $id: UUID!, $action: String!) {
    auditEvents(orgId: $orgId, filter: { integrationId: $id, action: $action }, first: 1) {
      nodes { id actor at }
    }
  }
`);

export const Create = graphql(
  `
    mutation ConnectIntegration($input: CreateIntegrationInput!) {
      createIntegration(input: $input) { ...ConfigurationFields }
    }
  `,
  [ConfigurationFields],
);

export const Update = graphql(
  `
    mutation ConfigureIntegration($orgId: ID!, $projectId: UUID!, $name: String!, $input: UpdateIntegrationInput!) {
      updateIntegration(orgId: $orgId, projectId: $projectId, name: $name, input: $input) { ...ConfigurationFields }
    }
  `,
  [ConfigurationFields],
);

export const SetSchedule = graphql(
  `
    mutation SetSchedule($integrationId: UUID!, $schedule: SyncScheduleInput) {
      setSyncSchedule(integrationId: $integrationId, schedule: $schedule) {
        ...SyncStateFields
        schedule { everyMinutes cron timeZone }
      }
    }
  `,
  [SyncStateFields],
);

const TestFields = graphql(`
  fragment TestFields on ConnectionTest { ok message account workspaces { id name } latencyMs checkedAt }
`);

export const TestSettings = graphql(
  `
    mutation TestSettings($provider: String!, $settings: Map!) {
      testSettings(provider: $provider, settings: $settings) { ...TestFields }
    }
  `,
  [TestFields],
);

export const TestChange = graphql(
  `
    mutation TestChange($integrationId: UUID!, $settings: Map) {
      testConnection(integrationId: $integrationId, settings: $settings) { ...TestFields }
    }
  `,
  [TestFields],
);

export const RegisterWebhook = graphql(
  `
    mutation RegisterWebhook($integrationId: UUID!) {
      registerWebhook(integrationId: $integrationId) { ...ConfigurationFields }
    }
  `,
  [ConfigurationFields],
);

export const RotateWebhookSecret = graphql(`
  mutation RotateWebhookSecret($integrationId: UUID!) {
    rotateWebhookSecret(integrationId: $integrationId) { url secret previousValidUntil }
  }
`);

type Configured = NonNullable<ResultOf<typeof IntegrationToConfigure>["integrationById"]>;
export type Integration = Omit<Configured, "provider">;
export type Provider = Configured["provider"];
export type Result = ResultOf<typeof TestSettings>["testSettings"];
export type IssuedSecret = ResultOf<typeof RotateWebhookSecret>["rotateWebhookSecret"];
export type ScheduleInput = NonNullable<VariablesOf<typeof SetSchedule>["schedule"]>;
