import { useEffect, useState } from "react";
import { type CombinedError, useMutation } from "urql";
import { trouble } from "../errors";
import { useScope } from "../shell/scope";
import { CancelSync, type Integration, SetEnabled, SyncNow } from "./operations";

/** What a card's buttons do, whether that is under way, and what became of it where it failed. */
export interface Actions {
  /** As it will be, once the server has agreed. */
  enabled: boolean;
  setEnabled(enabled: boolean): void;
  sync(): void;
  cancel(): void;
  busy: boolean;
  complaint: string | null;
}

export function useActions(integration: Integration | null): Actions {
  const { orgId, project } = useScope();
  const [switching, setSwitching] = useState<boolean | null>(null);
  const [complaint, setComplaint] = useState<string | null>(null);
  const [, setEnabled] = useMutation(SetEnabled);
  const [starting, start] = useMutation(SyncNow);
  const [cancelling, cancel] = useMutation(CancelSync);

  // A complaint is of how it stood then.
  const { enabled, syncState } = integration ?? {};
  const stands = `${enabled} ${syncState?.status} ${syncState?.lastSyncAt} ${syncState?.currentRun?.id}`;
  useEffect(() => setComplaint(null), [stands]);

  async function attempt(what: Promise<{ error?: CombinedError | undefined }>) {
    setComplaint(null);
    const found = trouble((await what).error);
    // What is asked for runs already, or has ended, which shows.
    setComplaint(found && found.code !== "CONFLICT" ? found.message : null);
  }
  return {
    enabled: switching ?? integration?.enabled ?? false,
    setEnabled(enabled) {
      if (!integration) return;
      setSwitching(enabled);
      void attempt(setEnabled({ orgId, projectId: project.id, name: integration.name, enabled })).finally(() => setSwitching(null));
    },
    sync() {
      if (integration) void attempt(start({ integrationId: integration.id }));
    },
    cancel() {
      const run = integration?.syncState.currentRun;
      if (run) void attempt(cancel({ runId: run.id }));
    },
    busy: starting.fetching || cancelling.fetching,
    complaint,
  };
}
