import { Stack, Text, Title } from "@mantine/core";
import { type ReactNode, type SubmitEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useMutation, useQuery } from "urql";
import { External } from "../kit/External";
import { useAddress } from "../shell/address";
import { useLeaving } from "../shell/useLeaving";
import { ActionBar } from "./ActionBar";
import classes from "./connect.module.css";
import { controlId, type Field, fieldsOf, safeLink, type Section } from "./fields";
import { Names } from "./Names";
import { IntegrationToConfigure, type IssuedSecret, RotateWebhookSecret } from "./operations";
import { ScheduleFields } from "./ScheduleFields";
import { SecretField } from "./SecretField";
import { help, SettingField } from "./SettingField";
import { TestConnection } from "./TestConnection";
import { type Configuration, useConfiguration } from "./useConfiguration";
import type { Subject } from "./useSubject";
import { useTest } from "./useTest";
import { Webhook } from "./Webhook";
import { Workspace } from "./Workspace";

interface Props {
  subject: Subject;
  /** How somebody wants to leave. */
  leaving: (() => void) | null;
  /** Told what would be lost; null where nothing would. */
  onLosable(what: string | null): void;
  onStay(): void;
  /** Leaves so, once it was asked where something would be lost. */
  onLeave(how: () => void): void;
  onClose(): void;
}

const titles: Record<Section, string> = { credentials: "Credentials", workspace: "Workspace", import: "What to import" };

/** The form in its sections, by what the provider's settings say. */
export function ConfigurationForm({ subject, leaving, onLosable, onStay, onLeave, onClose }: Props) {
  const { provider, from, taken, named } = subject;
  const [fields] = useState(() => fieldsOf(provider));
  const form = useConfiguration({ provider, fields, from });
  const { changed, complaints, lacking } = form;
  // As the server has it now, whatever the form began with.
  const [{ data }] = useQuery({
    query: IntegrationToConfigure,
    variables: { id: form.integration?.id ?? "" },
    pause: form.integration === null,
    requestPolicy: "cache-first",
  });
  const integration = data?.integrationById ?? form.integration;
  const { supportsImport, supportsWebhooks } = provider.capabilities;
  const address = useAddress();
  const test = useTest(form);
  const [issued, setIssued] = useState<IssuedSecret | null>(null);
  const rotation = useMutation(RotateWebhookSecret);
  const element = useRef<HTMLFormElement>(null);

  const losable = issued ? "The new webhook secret will not come back. Have you copied it?" : rotation[0].fetching ? "A new webhook secret is being made, and shown here alone." : changed ? "What you typed is not saved." : null;
  useLayoutEffect(() => onLosable(losable), [losable, onLosable]); // before the next key
  useLeaving(losable !== null, onLeave);
  useEffect(() => {
    if (form.saving) return;
    const wrong = element.current?.querySelector<HTMLElement>("[aria-invalid=true]");
    wrong?.focus({ preventScroll: true });
    wrong?.scrollIntoView({ block: "center" });
  }, [form.refusals, form.saving]);

  /** Goes on after the saving, by which a secret that is shown once is not copied. */
  const goOn = (how: () => void) => (issued ? onLeave(how) : how());
  async function save() {
    if (changed && (await form.save())) goOn(onClose);
  }
  async function saveAndImport() {
    if (lacking.length > 0) {
      form.complain({ fields: Object.fromEntries(lacking.map(({ name, title }) => [name, `${title} is needed before anything can be imported.`])), rest: [] });
      return;
    }
    const saved = changed ? await form.save() : form.integration;
    if (saved) goOn(() => address.lead("import", saved.id));
  }
  function submit(event: SubmitEvent) {
    event.preventDefault();
    void save();
  }

  const of = (section: Section) => fields.filter((field) => field.section === section);
  const documentation = safeLink(provider.documentationUrl);
  const numbered = (["credentials", "workspace", "import"] as const).filter((section) => of(section).length > 0);
  const names = (
    <Part title="Name">
      <Names form={form} taken={taken} />
    </Part>
  );
  return (
    <form ref={element} className={classes.form} onSubmit={submit} noValidate autoComplete="off">
      {/* What is typed meanwhile would be lost. */}
      <fieldset disabled={form.saving} className={classes.sections}>
        <Text size="sm" c="dimmed" mb="lg">
          {provider.description} {documentation && <External href={documentation}>{`${provider.displayName}'s documentation`}</External>}
        </Text>
        {!integration && (named || complaints.fields.name !== undefined) && names}
        {numbered.map((section, index) => (
          <Part key={section} title={titles[section]} number={index + 1}>
            {of(section).map((field) => (
              <Setting key={field.name} field={field} form={form} test={test} />
            ))}
            {section === "credentials" && supportsImport && <TestConnection form={form} test={test} />}
          </Part>
        ))}
        <Part title="Keep current" number={numbered.length + 1}>
          {supportsWebhooks && <Webhook form={form} integration={integration} rotation={rotation} issued={issued} onIssued={setIssued} />}
          {supportsImport ? (
            <ScheduleFields form={form} />
          ) : (
            <Text size="sm" c="dimmed">
              This server cannot import from {provider.displayName} yet. What you save is kept for when it can.
            </Text>
          )}
        </Part>
        {integration && names}
      </fieldset>
      <ActionBar
        form={form}
        leaving={leaving ? losable : null}
        onStay={onStay}
        onLeave={() => leaving?.()}
        onCancel={() => onLeave(onClose)}
        onSaveAndImport={() => void saveAndImport()}
      />
    </form>
  );
}

function Part({ title, number, children }: { title: string; number?: number; children: ReactNode }) {
  return (
    <section className={classes.section}>
      <Title order={3} size="h5" mb="md">
        {number !== undefined && (
          <span className={classes.number} aria-hidden="true">
            {number}
          </span>
        )}
        {title}
      </Title>
      <Stack gap="md">{children}</Stack>
    </section>
  );
}

function Setting({ field, form, test }: { field: Field; form: Configuration; test: ReturnType<typeof useTest> }) {
  const { draft, complaints, integration } = form;
  const { name, kind } = field;
  if (field.fromWorkspaces) return <Workspace field={field} form={form} test={test} />;
  if (kind !== "secret") {
    return <SettingField field={field} value={draft.settings[name] ?? ""} error={complaints.fields[name]} onChange={(value) => form.setSetting(name, value)} />;
  }
  return (
    <SecretField
      id={controlId(name)}
      label={field.title}
      description={help(field)}
      set={integration?.configuredSecrets.includes(name) ?? false}
      changedAt={integration?.secretChanges.find((change) => change.name === name)?.changedAt ?? null}
      required={field.required}
      removable={!field.required}
      long={field.long}
      value={draft.secrets[name]}
      error={complaints.fields[name]}
      onChange={(value) => form.setSecret(name, value)}
    />
  );
}
