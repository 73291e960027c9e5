import { Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import classes from "./connect.module.css";
import { freeName } from "./draft";
import type { Configuration } from "./useConfiguration";

/** What the integration is called. Its name follows the words for people until somebody types one, and stays once it is saved. */
export function Names({ form: { provider, integration, draft, complaints, change }, taken }: { form: Configuration; taken: string[] }) {
  const [own, setOwn] = useState(false);
  return (
    <>
      <div className={classes.pair}>
        <TextInput
          id="display-name"
          label="Display name"
          description="What people call it."
          placeholder={provider.displayName}
          autoComplete="off"
          error={complaints.fields.displayName}
          value={draft.displayName}
          onChange={(event) => {
            const displayName = event.currentTarget.value;
            const follows = !integration && !own;
            change({ displayName, ...(follows ? { name: freeName(displayName, taken) } : {}) }, "displayName", ...(follows ? ["name"] : []));
          }}
        />
        <TextInput
          id="name"
          label="Name"
          description={integration ? "In the API; it stays." : "In the API: small letters, digits and hyphens."}
          readOnly={integration !== null}
          variant={integration ? "filled" : "default"}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          error={complaints.fields.name}
          value={draft.name}
          onChange={(event) => {
            setOwn(true);
            change({ name: event.currentTarget.value }, "name");
          }}
        />
      </div>
      <Textarea
        id="description"
        label="What it is for"
        autosize
        minRows={1}
        maxRows={6}
        error={complaints.fields.description}
        value={draft.description}
        onChange={(event) => change({ description: event.currentTarget.value }, "description")}
      />
    </>
  );
}
