import { Button, Progress as Bar, Text } from "@mantine/core";
import { useMutation } from "urql";
import { running } from "../catalogue/state";
import { trouble } from "../errors";
import { Announced } from "../kit/Announced";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { count, plural } from "../kit/words";
import { Counts } from "../runs/Counts";
import type { Run } from "../runs/operations";
import { useRole } from "../shell/session";
import classes from "./importing.module.css";
import { CancelImport, type Target } from "./operations";
import { startedBy } from "./run";

interface Props {
  run: Run;
  target: Target;
  onClose(): void;
}

/** How far a run is. */
export function Live({ run, target: { provider }, onClose }: Props) {
  const { mayEdit } = useRole();
  const [{ fetching, error }, cancel] = useMutation(CancelImport);
  const { words, spoken, reason, tone } = running(provider, run);
  const { processed, total, step, mode } = run;
  const known = total !== null && total > 0;
  const found = trouble(error);
  // One that ended meanwhile shows what came of it.
  const failed = found && found.code !== "CONFLICT" ? found : null;
  const waiting = run.waitingUntil !== null;
  return (
    <>
      <div>
        <Text fw={500} className={classes.words} data-tone={tone}>
          {words}
        </Text>
        <Announced>{spoken}</Announced>
        {known && <Bar value={Math.min(100, (processed / total) * 100)} size="lg" mt="sm" aria-label="Items handled" />}
        <Text size="sm" c="dimmed" mt="xs" title={run.requestedBy ?? undefined}>
          {known ? `${count(processed)} of ${plural(total, "item")}` : processed > 0 && plural(processed, "item")}
          {(known || processed > 0) && " · "}
          {mode === "FULL" ? "full" : "only what changed"}, started {startedBy(run, provider.displayName)} <When at={run.queuedAt} />
        </Text>
        {(reason ?? (!waiting && step)) && (
          <Text size="sm" mt="xs" className={classes.step}>
            {reason ?? `Now: ${step}`}
          </Text>
        )}
      </div>
      <Counts run={run} />
      {failed && <Problem what="The import was not cancelled" trouble={failed} />}
      <div className={classes.footer}>
        <Text size="xs" c="dimmed" className={classes.total}>
          It goes on when you close this.
        </Text>
        {mayEdit && (
          <Button variant="default" loading={fetching} onClick={() => void cancel({ id: run.id })}>
            Cancel import
          </Button>
        )}
        <Button variant={mayEdit ? "light" : "default"} onClick={onClose}>
          Close
        </Button>
      </div>
    </>
  );
}
