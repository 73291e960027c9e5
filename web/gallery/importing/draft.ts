import { keep, kept } from "../kit/kept";
import type { Options } from "./options";

/** What was chosen and not started yet. */
export interface Draft {
  /** As for StartSyncInput.externalIds. */
  externalIds: string[] | null;
  options: Options;
}

const name = (integrationId: string) => `import:${integrationId}`;

export function draftOf(integrationId: string): Draft | null {
  return kept(name(integrationId));
}

/** Null forgets it. */
export function keepDraft(integrationId: string, draft: Draft | null) {
  keep(name(integrationId), draft);
}
