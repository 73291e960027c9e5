import { needsAttention, stateOf } from "../catalogue/state";
import type { Integration } from "./operations";
import type { Said } from "./words";
import { plural } from "../kit/words";

interface Concern extends Said {
  reason: string | null;
  /** Which tab, or the last run's result, tells more. */
  more: "runs" | "webhooks" | "result" | null;
}

/** What somebody should look at; nothing where all is well. */
export function concerns(integration: Integration, failedDeliveries: number): Concern[] {
  const { provider, syncState } = integration;
  const found: Concern[] = [];
  const { words, reason, tone, action } = stateOf(provider, integration);
  if (needsAttention(provider, integration)) found.push({ words, reason, tone, more: action === "continue" ? null : action === "decide" ? "result" : "runs" });
  if (syncState.consecutiveFailures > 1) {
    found.push({
      words: `${plural(syncState.consecutiveFailures, "run")} failed one after another`,
      reason: syncState.schedule ? "The schedule waits longer after each." : null,
      tone: "warn",
      more: "runs",
    });
  }
  if (failedDeliveries > 0) {
    found.push({ words: `${plural(failedDeliveries, "webhook delivery", "webhook deliveries")} could not be processed`, reason: "They can be replayed.", tone: "warn", more: "webhooks" });
  }
  return found;
}
