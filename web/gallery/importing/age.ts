// When each integration's structure was read last, by its id: it is kept as long as the page lives, and asking costs the provider's budget.
const reads = new Map<string, number>();

/** For so long it is taken as it is, in milliseconds, by who opens the dialog. */
const fresh = 10 * 60_000;

export function readAt(integrationId: string): Date | null {
  const at = reads.get(integrationId);
  return at === undefined ? null : new Date(at);
}

export function wasRead(integrationId: string, now: Date) {
  reads.set(integrationId, now.getTime());
}

/** Whether it is so old that it is read again by itself. */
export function isStale(integrationId: string, now: Date): boolean {
  const at = reads.get(integrationId);
  return at === undefined || now.getTime() - at >= fresh;
}
