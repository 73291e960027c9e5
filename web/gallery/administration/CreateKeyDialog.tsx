import { Button, Group, MultiSelect, Radio, Select, Stack, Text, TextInput } from "@mantine/core";
import { type SubmitEvent, useState } from "react";
import { useMutation, useQuery } from "urql";
import { trouble } from "../errors";
import { Copyable } from "../kit/Copyable";
import { Dialog } from "../kit/Dialog";
import { AlertIcon } from "../kit/icons";
import { Leaving } from "../kit/Leaving";
import { Problem } from "../kit/Problem";
import { exact } from "../kit/words";
import { useScope } from "../shell/scope";
import { useLeaving } from "../shell/useLeaving";
import classes from "./administration.module.css";
import { expiry, type Lifetime, lifetimes } from "./keys";
import { type ApiKey, CreateApiKey, Me } from "./operations";

const roles: { value: ApiKey["role"]; label: string; description: string }[] = [
  { value: "VIEWER", label: "Viewer", description: "Sees integrations, their runs and what was imported." },
  { value: "EDITOR", label: "Editor", description: "Connects, changes and synchronises integrations as well." },
  { value: "ADMIN", label: "Administrator", description: "Makes keys, reads the audit log and rotates encryption as well." },
];
const fields = ["name", "projectIds", "expiresAt"];

/** Makes an API key, and shows it this one time. */
export function CreateKeyDialog({ onClose }: { onClose(): void }) {
  const { orgId, projects } = useScope();
  const [{ data: me }] = useQuery({ query: Me });
  const limited = (me?.viewer.projectIds ?? null) !== null;
  const [name, setName] = useState("");
  const [role, setRole] = useState<ApiKey["role"]>("VIEWER");
  const [chosen, setChosen] = useState<string[]>([]);
  const [lifetime, setLifetime] = useState<Lifetime>("90");
  const [date, setDate] = useState("");
  const [missing, setMissing] = useState<Record<string, string>>({});
  const [{ data, error, fetching }, create] = useMutation(CreateApiKey);
  const problem = trouble(error);
  const changed = name !== "" || role !== "VIEWER" || chosen.length > 0 || lifetime !== "90" || date !== "";
  const [leaving, setLeaving] = useState<(() => void) | null>(null);
  const stays = fetching || data !== undefined;
  const leave = (how: () => void) => {
    if (stays) return; // it says why; and what is being made would be seen by nobody
    if (changed) setLeaving(() => how);
    else how();
  };
  useLeaving(stays || changed, leave);
  const wrong = (field: string) => missing[field] ?? (problem?.field === field ? problem.message : undefined);

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const expiresAt = expiry(lifetime, date, new Date());
    const found: Record<string, string> = {};
    if (!name.trim()) found.name = "Say what the key is for.";
    if (limited && chosen.length === 0) found.projectIds = "Choose at least one: you are limited to some projects yourself.";
    if (expiresAt && !(expiresAt > new Date())) found.expiresAt = "Choose a day that has not passed.";
    setMissing(found);
    if (Object.keys(found).length > 0) return;
    void create({ input: { orgId, name: name.trim(), role, projectIds: chosen.length > 0 ? chosen : null, expiresAt: expiresAt?.toISOString() ?? null } });
  }

  if (data) {
    // Only by its button: what is closed by a slip is lost.
    return (
      <Dialog onClose={onClose} title={`The key ${data.createApiKey.apiKey.name}`} size="lg" closeOnEscape={false} closeOnClickOutside={false} withCloseButton={false}>
        <Stack>
          <Copyable label="API key" value={data.createApiKey.key} autoFocus />
          <div className={classes.note} role="alert">
            <AlertIcon />
            <div>
              <strong>It will not come back.</strong> This is the only time that the key is shown. Copy it now to where it is needed, such as a password manager; whoever has it has its access.
            </div>
          </div>
          <Group justify="end">
            <Button onClick={onClose}>I have copied it</Button>
          </Group>
        </Stack>
      </Dialog>
    );
  }
  return (
    <Dialog onClose={() => (leaving ? setLeaving(null) : leave(onClose))} title="Create an API key" size="lg" closeOnClickOutside={false}>
      <form onSubmit={submit} noValidate autoComplete="off">
        <Stack>
          <TextInput
            data-autofocus
            label="Name"
            description="What it is for, or whose it is."
            value={name}
            onChange={(event) => {
              setName(event.currentTarget.value);
              setMissing({});
            }}
            error={wrong("name")}
            maxLength={200}
            required
          />
          <Radio.Group label="Role" value={role} onChange={(value) => setRole(value as ApiKey["role"])}>
            <Stack gap="xs" mt={6}>
              {roles.map((each) => (
                <Radio key={each.value} {...each} />
              ))}
            </Stack>
          </Radio.Group>
          <MultiSelect
            label="Projects"
            description={limited ? "Those that it has access to." : "Those that it has access to; all of the organisation’s, later ones too, where none is chosen."}
            placeholder={chosen.length > 0 ? "" : limited ? "Choose" : "All projects"}
            data={projects.map((project) => ({ value: project.id, label: project.name }))}
            value={chosen}
            onChange={(ids) => {
              setChosen(ids);
              setMissing({});
            }}
            error={wrong("projectIds")}
            searchable
            clearable
            clearButtonProps={{ "aria-label": "Choose none" }}
            comboboxProps={{ withinPortal: false }}
            withScrollArea={false}
            classNames={{ options: classes.options }}
          />
          <Group align="start" grow>
            <Select
              label="Ends"
              data={lifetimes}
              value={lifetime}
              onChange={(value) => value && setLifetime(value as Lifetime)}
              allowDeselect={false}
              error={lifetime === "date" ? undefined : wrong("expiresAt")}
              comboboxProps={{ withinPortal: false }}
            />
            {lifetime === "date" && <TextInput type="date" label="Last day" value={date} onChange={(event) => setDate(event.currentTarget.value)} error={wrong("expiresAt")} />}
          </Group>
          <Text size="sm" c="dimmed" aria-live="polite">
            {said()}
          </Text>
          {problem && !fields.includes(problem.field ?? "") && <Problem what="The key could not be made" trouble={problem} />}
          {leaving ? (
            <Group justify="end">
              <Leaving what="What you typed is not saved." onStay={() => setLeaving(null)} onLeave={leaving} />
            </Group>
          ) : (
            <Group justify="end">
              <Button variant="default" disabled={fetching} onClick={() => leave(onClose)}>
                Cancel
              </Button>
              <Button type="submit" loading={fetching}>
                Create
              </Button>
            </Group>
          )}
        </Stack>
      </form>
    </Dialog>
  );

  function said(): string {
    const at = expiry(lifetime, date, new Date());
    if (at === null) return "It works until somebody revokes it.";
    return Number.isNaN(at.getTime()) ? "It ends with that day." : `It ends ${exact(at)}, or when somebody revokes it.`;
  }
}
