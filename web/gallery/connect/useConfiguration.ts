import { useState } from "react";
import { type CombinedError, useClient, useMutation } from "urql";
import { type Trouble, trouble, troubles } from "../errors";
import { useScope } from "../shell/scope";
import { differences, type Draft, draftOf, isChanged, missing, newSettings, rebase, same, secretChange, settingsChange } from "./draft";
import type { Field } from "./fields";
import { Create, type Integration, IntegrationToConfigure, type Provider, RegisterWebhook, SetSchedule, Update } from "./operations";
import { type Complaints, complaintsOf, noComplaints, without } from "./outcome";
import { scheduleInput, scheduleOf } from "./schedule";

/** What the form holds, what it began with, and what becomes of it. */
export type Configuration = ReturnType<typeof useConfiguration>;

interface Start {
  provider: Provider;
  fields: Field[];
  /** What is stored, or what a new one is called. */
  from: Integration | { name: string; displayName: string };
}

export function useConfiguration({ provider, fields, from }: Start) {
  const { orgId, project } = useScope();
  const client = useClient();
  const [, create] = useMutation(Create);
  const [, update] = useMutation(Update);
  const [, setSchedule] = useMutation(SetSchedule);
  const [, register] = useMutation(RegisterWebhook);

  const [integration, setIntegration] = useState("id" in from ? from : null);
  const [base, setBase] = useState(() => draftOf(fields, from));
  const [draft, setDraft] = useState(base);
  const [wantsWebhook, setWithWebhook] = useState(false);
  const [complaints, setComplaints] = useState<Complaints>(noComplaints);
  const [refusals, setRefusals] = useState(0);
  const [theirs, setTheirs] = useState<Integration | null>(null);
  const [saving, setSaving] = useState(false);

  const lacking = missing(fields, draft, integration?.configuredSecrets ?? []);
  const withWebhook = wantsWebhook && lacking.length === 0; // a draft has none

  function change(part: Partial<Draft> | ((before: Draft) => Partial<Draft>), ...keys: string[]) {
    setDraft((before) => ({ ...before, ...(typeof part === "function" ? part(before) : part) }));
    setComplaints((before) => without({ ...before, rest: [] }, ...keys));
  }

  function complain(of: Complaints): null {
    setComplaints(of);
    setRefusals((before) => before + 1);
    return null;
  }

  /** Shows what the server would not have; what was typed stays. */
  const refuse = (error: CombinedError | undefined) => (error ? complain(complaintsOf(troubles(error), fields)) : null);
  const refuseAs = (said: Trouble) => complain({ fields: {}, rest: [said] });

  /** Goes on from what is stored now. What is not stored yet stays typed. */
  function stored(now: Integration, unsaved: Partial<Draft>) {
    setIntegration(now);
    setBase(draftOf(fields, now));
    setDraft({ ...draftOf(fields, now), ...unsaved });
  }

  /** What is stored now; null where that cannot be had, which is said. */
  async function readAgain({ id }: Integration): Promise<Integration | null> {
    const { data, error } = await client.query(IntegrationToConfigure, { id }, { requestPolicy: "network-only" }).toPromise();
    if (error) return refuse(error);
    return data?.integrationById ?? refuseAs({ message: "Somebody has deleted this integration meanwhile.", code: "NOT_FOUND", field: null });
  }

  async function store(): Promise<Integration | null> {
    if (!integration) {
      const { name, displayName, description } = draft;
      const webhookSecret = secretChange(draft.webhookSecret);
      const { data, error } = await create({
        input: {
          orgId,
          projectId: project.id,
          name: name.trim(),
          provider: provider.name,
          settings: newSettings(fields, base, draft),
          ...(displayName.trim() && displayName !== provider.displayName ? { displayName: displayName.trim() } : {}),
          ...(description.trim() ? { description: description.trim() } : {}),
          ...(webhookSecret ? { webhookSecret } : {}),
        },
      });
      return data?.createIntegration ?? refuse(error);
    }
    const settings = settingsChange(fields, base, draft);
    const webhookSecret = secretChange(draft.webhookSecret);
    const input = {
      ...(Object.keys(settings).length > 0 ? { settings } : {}),
      ...(draft.displayName === base.displayName ? {} : { displayName: draft.displayName.trim() || null }),
      ...(draft.description === base.description ? {} : { description: draft.description.trim() || null }),
      ...(webhookSecret ? { webhookSecret } : {}),
    };
    if (Object.keys(input).length === 0) return integration;
    let before = integration;
    for (;;) {
      const { data, error } = await update({ orgId, projectId: before.projectId, name: before.name, input: { ...input, ifRevision: before.revision } });
      if (data) return data.updateIntegration;
      if (trouble(error)?.field !== "ifRevision") return refuse(error);
      const now = await readAgain(before);
      if (!now) return null;
      if (now.revision === before.revision || differences(fields, integration, now).length > 0) {
        setTheirs(now);
        return null;
      }
      before = now; // what changed is not in this form, such as its webhook
    }
  }

  /** Returns what is stored once everything is. */
  async function save(): Promise<Integration | null> {
    setSaving(true);
    setComplaints(noComplaints);
    setTheirs(null);
    try {
      if (integration && !same(base.schedule, draft.schedule)) {
        // A schedule has no revision by which the server could tell.
        const stands = await readAgain(integration);
        if (!stands) return null;
        const theirSchedule = scheduleOf(stands.syncState.schedule);
        if (!same(theirSchedule, base.schedule) && !same(theirSchedule, draft.schedule)) {
          setTheirs(stands);
          return null;
        }
      }
      let now = await store();
      if (!now) return null;
      stored(now, { schedule: draft.schedule });
      if (!same(base.schedule, draft.schedule)) {
        const { data, error } = await setSchedule({ integrationId: now.id, schedule: scheduleInput(draft.schedule) });
        if (!data) return refuse(error);
        now = { ...now, syncState: { ...now.syncState, ...data.setSyncSchedule } };
        stored(now, {});
      }
      if (withWebhook && now.hasConfiguration) {
        setWithWebhook(false);
        const { data, error } = await register({ integrationId: now.id });
        if (!data) return refuseAs({ ...(trouble(error) as Trouble), message: `It is saved. The webhook could not be set up: ${trouble(error)?.message}` });
        now = data.registerWebhook;
        stored(now, {});
      }
      return now;
    } finally {
      setSaving(false);
    }
  }

  return {
    provider,
    fields,
    integration,
    base,
    draft,
    complaints,
    /** How often something was not as it should be. */
    refusals,
    lacking,
    saving,
    theirs,
    withWebhook,
    setWithWebhook,
    changed: isChanged(fields, base, draft) || withWebhook,
    change,
    complain,
    settle: () => setComplaints(noComplaints),
    setSetting: (name: string, value: string | boolean) => change(({ settings }) => ({ settings: { ...settings, [name]: value } }), name),
    setSecret: (name: string, value: string | null | undefined) => change(({ secrets }) => ({ secrets: { ...secrets, [name]: value } }), name),
    save,
    /** Takes over what somebody else saved, with what was typed here on top. */
    takeTheirs() {
      if (!theirs) return;
      const fresh = draftOf(fields, theirs);
      setDraft(rebase(draft, base, fresh));
      setBase(fresh);
      setIntegration(theirs);
      setTheirs(null);
    },
    theyChanged: theirs && integration ? differences(fields, integration, theirs) : [],
  };
}
