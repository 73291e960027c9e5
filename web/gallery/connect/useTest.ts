import { useState } from "react";
import { useMutation } from "urql";
import { troubles } from "../errors";
import { newSettings, same, settingsChange } from "./draft";
import { type Result, TestChange, TestSettings } from "./operations";
import { complaintsOf } from "./outcome";
import type { Configuration } from "./useConfiguration";

/** Tries what the form holds, saved or not, and knows what of the answer still holds for it. */
export function useTest(form: Configuration) {
  const { provider, fields, integration, base, draft } = form;
  const [trying, trySettings] = useMutation(TestSettings);
  const [changing, tryChange] = useMutation(TestChange);
  const [last, setLast] = useState<{ result: Result; of: ReturnType<typeof whatCounts> } | null>(null);

  const now = whatCounts();
  const credentials = last && same(last.of.credentials, now.credentials) ? last.result : null;

  function whatCounts() {
    const of = (section: string) => fields.filter((field) => field.section === section).map(({ name, kind }) => (kind === "secret" ? (draft.secrets[name] ?? "") : draft.settings[name]));
    return { credentials: of("credentials"), workspace: of("workspace") };
  }

  async function test() {
    form.settle();
    const { data, error } = integration
      ? await tryChange({ integrationId: integration.id, settings: settingsChange(fields, base, draft) }).then(({ data, error }) => ({ data: data?.testConnection, error }))
      : await trySettings({ provider: provider.name, settings: newSettings(fields, base, draft) }).then(({ data, error }) => ({ data: data?.testSettings, error }));
    if (error) {
      setLast(null);
      form.complain(complaintsOf(troubles(error), fields));
    }
    if (!data) return;
    const choice = fields.find(({ fromWorkspaces }) => fromWorkspaces);
    const [only, ...others] = data.workspaces;
    let of = whatCounts();
    if (choice && only && others.length === 0 && !draft.settings[choice.name]) {
      form.setSetting(choice.name, only.id);
      of = { ...of, workspace: [only.id] };
    }
    setLast({ result: data, of });
  }

  return {
    test,
    testing: trying.fetching || changing.fetching,
    /** Of the credentials and the workspace as they stand. */
    result: credentials && same(last?.of.workspace, now.workspace) ? credentials : null,
    /** What the credentials as they stand reach; null where that is not known. */
    workspaces: credentials?.workspaces ?? null,
  };
}

export type Test = ReturnType<typeof useTest>;
