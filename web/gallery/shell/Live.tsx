import { useSubscription } from "urql";
import { IntegrationChanged } from "./operations";
import { useScope } from "./scope";

/** Keeps what every page shows of the project's integrations true, whoever changes them: the cache takes in what is told. */
export function Live() {
  const { orgId, project } = useScope();
  useSubscription({ query: IntegrationChanged, variables: { orgId, projectId: project.id } });
  return null;
}
