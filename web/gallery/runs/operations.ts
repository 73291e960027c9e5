import { graphql, type FragmentOf } from "../graphql";

/** A run: the same fields wherever it is asked for or told, so that one keeps the other true. */
export const RunFields = graphql(`
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

export const RunById = graphql(
  `
    query RunById($id: UUID!) {
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

export type Run = FragmentOf<typeof RunFields>;
export type ObjectType = Run["counts"][number]["type"];
