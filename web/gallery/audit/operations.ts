import { graphql, type ResultOf } from "../graphql";

export const AuditPage = graphql(`
  query AuditPage($orgId: ID!, $projectId: UUID, $filter: AuditEventFilter, $after: String) {
    auditEvents(orgId: $orgId, projectId: $projectId, filter: $filter, first: 50, after: $after) {
      nodes { id at actor action projectId integrationId changes requestId remoteAddr }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

/** What the ids in entries are called. */
export const Names = graphql(`
  query Names($orgId: ID!, $projectId: UUID!) {
    apiKeys(orgId: $orgId) { id name }
    integrations(orgId: $orgId, projectId: $projectId, first: 200) { nodes { id name displayName } }
  }
`);

export type AuditEvent = ResultOf<typeof AuditPage>["auditEvents"]["nodes"][number];
export type NamedIntegration = ResultOf<typeof Names>["integrations"]["nodes"][number];
