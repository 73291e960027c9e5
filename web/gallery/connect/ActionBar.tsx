import { Button, Text } from "@mantine/core";
import { useQuery } from "urql";
import { actorInWords } from "../audit/words";
import { Leaving } from "../kit/Leaving";
import { relative } from "../kit/words";
import { useNow } from "../kit/When";
import { useScope } from "../shell/scope";
import { useRole } from "../shell/session";
import classes from "./connect.module.css";
import { scheduleTitle } from "./draft";
import { Notice } from "./Notice";
import { LastChange } from "./operations";
import { titleOf } from "./outcome";
import type { Configuration } from "./useConfiguration";

interface Props {
  form: Configuration;
  /** Somebody wants to leave: what would be lost. */
  leaving: string | null;
  onStay(): void;
  onLeave(): void;
  onCancel(): void;
  onSaveAndImport(): void;
}

/** What can be done with the whole form, at the bottom of the drawer, and what stands in the way. */
export function ActionBar({ form, leaving, onStay, onLeave, onCancel, onSaveAndImport }: Props) {
  const { provider, changed, lacking, saving, theirs } = form;
  const imports = provider.capabilities.supportsImport;
  if (leaving) {
    return (
      <div className={classes.bar}>
        <div className={classes.buttons}>
          <Leaving what={leaving} className={classes.said} onStay={onStay} onLeave={onLeave} />
        </div>
      </div>
    );
  }
  return (
    <div className={classes.bar}>
      {theirs && <Theirs form={form} />}
      <div className={classes.buttons}>
        <Said form={form} />
        <Button variant="default" onClick={onCancel}>
          Cancel
        </Button>
        <Button type="submit" variant={imports ? "default" : "filled"} disabled={!changed || saving} loading={saving && !imports}>
          {lacking.length > 0 ? "Save draft" : "Save"}
        </Button>
        {imports && (
          <Button type="button" loading={saving} onClick={onSaveAndImport}>
            {changed || !form.integration ? "Save and import" : "Import…"}
          </Button>
        )}
      </div>
    </div>
  );
}

function Said({ form: { complaints, fields } }: { form: Configuration }) {
  const order = fields.map(({ name }) => name);
  const titles = Object.keys(complaints.fields)
    .sort((a, b) => order.indexOf(a) - order.indexOf(b))
    .map((key) => titleOf(key, fields));
  const words = [...complaints.rest.map(({ message }) => message), titles.length > 0 && `Look at: ${titles.join(", ")}.`].filter(Boolean);
  return (
    <div className={classes.said} data-tone="bad" role="alert">
      {words.join(" ")}
    </div>
  );
}

/** Somebody else was faster. */
function Theirs({ form: { theyChanged, takeTheirs, theirs } }: { form: Configuration }) {
  const { orgId } = useScope();
  const { mayAdminister } = useRole();
  const now = useNow();
  const action = theyChanged.length === 1 && theyChanged[0] === scheduleTitle ? "sync_schedule.set" : "integration.update";
  const [{ data }] = useQuery({ query: LastChange, variables: { orgId, id: theirs?.id ?? "", action }, pause: !mayAdminister || !theirs, requestPolicy: "network-only" });
  const last = data?.auditEvents.nodes[0];
  return (
    <Notice
      role="alert"
      title={
        <>
          <span title={last?.actor}>{last ? actorInWords(last.actor).name : "Somebody else"}</span> changed this first{last && `, ${relative(new Date(last.at), now)}`}
        </>
      }
    >
      <Text size="sm">
        {theyChanged.length > 0 ? `What changed: ${theyChanged.join(", ")}. ` : ""}Nothing of yours is saved yet, and nothing of it is lost: load their changes, look, and save again.
      </Text>
      <Button size="xs" variant="default" onClick={takeTheirs}>
        Load their changes, keep mine
      </Button>
    </Notice>
  );
}
