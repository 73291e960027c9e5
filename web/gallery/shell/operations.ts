import { graphql } from "../graphql";

/** The id comes first: cache.ts compares by it what is known with what is told. */
export const IntegrationChanged = graphql(`
  subscription IntegrationChanged($orgId: ID!, $projectId: UUID!) {
    integrationChanged(orgId: $orgId, projectId: $projectId) {
      integrationId
      integration {
        id
        name
        displayName
        description
        enabled
        logoUrl
        revision
        settings
        configuredSecrets
        secretChanges { name changedAt }
        hasConfiguration
        webhook { url hasSecret registered lastDeliveryAt }
      }
    }
  }
`);
