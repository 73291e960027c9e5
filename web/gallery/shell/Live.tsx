import { useSubscription } from "urql";
import { graphql } from "../graphql";
import { useScope } from "./scope";

const IntegrationChanged = graphql(`
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

/** Keeps what every page shows of the project's integrations true, whoever changes them: the cache takes in what is told. */
export function Live() {
  const { orgId, project } = useScope();
  useSubscription({ query: IntegrationChanged, variables: { orgId, projectId: project.id } });
  return null;
}
