import type { Options } from "./options";

/** What was chosen and not started yet. */
export interface Draft {
  /** As for StartSyncInput.externalIds. */
  externalIds: string[] | null;
  options: Options;
}

// In the tab's own storage: so it outlives the dialog and a reload.
const key = (integrationId: string) => `patchbay:import:${integrationId}`;

export function draftOf(integrationId: string): Draft | null {
  try {
    const text = sessionStorage.getItem(key(integrationId));
    return text === null ? null : (JSON.parse(text) as Draft);
  } catch {
    return null; // the browser keeps nothing
  }
}

/** Null forgets it. */
export function keepDraft(integrationId: string, draft: Draft | null) {
  try {
    if (draft) sessionStorage.setItem(key(integrationId), JSON.stringify(draft));
    else sessionStorage.removeItem(key(integrationId));
  } catch {
    // As above: then it is gone with the dialog.
  }
}
