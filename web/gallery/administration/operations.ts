import { graphql, type ResultOf } from "../graphql";

export const Me = graphql(`
  query Me {
    viewer { subject orgId role projectIds expiresAt }
  }
`);

export const ApiKeys = graphql(`
  query ApiKeys($orgId: ID!) {
    apiKeys(orgId: $orgId) { id name prefix role projectIds sessionOf createdBy createdAt expiresAt lastUsedAt revokedAt }
  }
`);

export const CreateApiKey = graphql(`
  mutation CreateApiKey($input: CreateApiKeyInput!) {
    createApiKey(input: $input) { key apiKey { id name } }
  }
`);

export const RevokeApiKey = graphql(`
  mutation RevokeApiKey($id: UUID!) {
    revokeApiKey(id: $id) { id revokedAt }
  }
`);

export const ProjectPage = graphql(`
  query ProjectPage($orgId: ID!, $after: String) {
    projects(orgId: $orgId, first: 50, after: $after) {
      nodes { id name createdAt }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const MakeProject = graphql(`
  mutation MakeProject($input: CreateProjectInput!) {
    createProject(input: $input) { id name createdAt }
  }
`);

export const Encryption = graphql(`
  query Encryption {
    encryptionStatus {
      currentKeyId
      sealedRows { keyId rows }
      rotation { id total done failed finishedAt }
    }
  }
`);

export const Unreadable = graphql(`
  query Unreadable {
    encryptionStatus { unreadable }
  }
`);

export const RotateKey = graphql(`
  mutation RotateKey {
    rotateEncryptionKey { id total done failed finishedAt }
  }
`);

export type ApiKey = ResultOf<typeof ApiKeys>["apiKeys"][number];
export type Rotation = NonNullable<ResultOf<typeof Encryption>["encryptionStatus"]["rotation"]>;
