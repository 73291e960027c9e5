import { Anchor, NativeSelect, Stack, Text } from "@mantine/core";
import { controlId, type Field } from "./fields";
import { SettingField } from "./SettingField";
import type { Configuration } from "./useConfiguration";
import type { Test } from "./useTest";

/** A workspace: chosen from those that the credentials reach, once they were tried; until then by its id. */
export function Workspace({ field, form, test }: { field: Field; form: Configuration; test: Test }) {
  const { draft, complaints, setSetting, integration, lacking } = form;
  const value = String(draft.settings[field.name] ?? "");
  const state = integration?.syncState;
  const known = test.workspaces ?? (state?.workspaceId && state.workspaceName ? [{ id: state.workspaceId, name: state.workspaceName }] : []);
  const mayTest = !lacking.some(({ section }) => section === "credentials");
  const list = mayTest && !test.workspaces && (
    <Text size="xs" c="dimmed">
      <Anchor component="button" type="button" size="xs" underline="always" onClick={() => void test.test()} disabled={test.testing}>
        List what the credentials reach
      </Anchor>{" "}
      to choose another one.
    </Text>
  );
  if (known.length === 0 || (test.workspaces === null && !known.some(({ id }) => id === value))) {
    return (
      <Stack gap={6}>
        <SettingField field={field} value={value} error={complaints.fields[field.name]} onChange={(text) => setSetting(field.name, text)} />
        <Text size="xs" c="dimmed">
          {test.workspaces ? (
            "The credentials reach no workspace."
          ) : mayTest ? (
            <>
              Or{" "}
              <Anchor component="button" type="button" size="xs" underline="always" onClick={() => void test.test()} disabled={test.testing}>
                test the connection
              </Anchor>
              , and choose from a list.
            </>
          ) : (
            "Once the credentials are filled in and tested, it is chosen from a list."
          )}
        </Text>
      </Stack>
    );
  }
  const strange = value !== "" && !known.some(({ id }) => id === value);
  return (
    <Stack gap={6}>
      <NativeSelect
        id={controlId(field.name)}
        label={field.title.replace(/ ID$/, "")}
        withAsterisk={field.required}
        aria-required={field.required}
        error={complaints.fields[field.name]}
        value={value}
        onChange={(event) => setSetting(field.name, event.currentTarget.value)}
        data={[
          ...(value === "" ? [{ value: "", label: "Choose one" }] : []),
          ...(strange ? [{ value, label: `${value} (not reached by these credentials)` }] : []),
          ...known.map(({ id, name }) => ({ value: id, label: known.some((other) => other.name === name && other.id !== id) ? `${name} (${id})` : name })),
        ]}
      />
      {list}
    </Stack>
  );
}
