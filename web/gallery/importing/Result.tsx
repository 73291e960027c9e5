import { Button, Text } from "@mantine/core";
import { Link } from "wouter";
import { When } from "../kit/When";
import { count, plural } from "../kit/words";
import { Counts } from "../runs/Counts";
import type { Run } from "../runs/operations";
import { handled, seconds, sums, took } from "../runs/words";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import { Deletions } from "./Deletions";
import { Failures } from "./Failures";
import classes from "./importing.module.css";
import type { Target } from "./operations";
import { outcome } from "./run";

interface Props {
  run: Run;
  target: Target;
  onStarted(run: string): void;
  onAgain(): void;
  onConfirming(open: boolean): void;
  onClose(): void;
}

/** What came of a run. */
export function Result({ run, target, onStarted, onAgain, onConfirming, onClose }: Props) {
  const { mayEdit } = useRole();
  const address = useAddress();
  const { words, reason, tone, missing, fix } = outcome(run);
  const { finishedAt } = run;
  const { deleted } = sums(run);
  const duration = seconds(run, new Date());
  return (
    <>
      <div role="status">
        <Text fw={500} className={classes.words} data-tone={tone}>
          {words}
        </Text>
        {reason && (
          <Text size="sm" mt={4} className={classes.step}>
            {reason}
          </Text>
        )}
        <Text size="sm" c="dimmed" mt={4}>
          {plural(handled(run), "object")} handled
          {deleted > 0 && `, ${count(deleted)} of them found to be deleted,`}
          {duration !== null && ` in ${took(duration)}`}
          {finishedAt && (
            <>
              {" · "}
              <When at={finishedAt} />
            </>
          )}
        </Text>
      </div>
      {missing && <Deletions {...missing} target={target} onStarted={onStarted} onConfirming={onConfirming} />}
      <Counts run={run} />
      <Failures run={run} />
      <div className={classes.footer}>
        <span className={classes.total} />
        {mayEdit && fix && (
          <Button component={Link} href={address.dialog("configure", target.id)}>
            Fix
          </Button>
        )}
        {mayEdit && (
          <Button variant="default" onClick={onAgain}>
            Import again
          </Button>
        )}
        <Button variant={mayEdit && fix ? "default" : "filled"} onClick={onClose}>
          Close
        </Button>
      </div>
    </>
  );
}
