import { Button, Skeleton } from "@mantine/core";
import { useQuery, useSubscription } from "urql";
import { useCatchUp } from "../connection";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { ended } from "../runs/ends";
import { RunById, RunProgress } from "../runs/operations";
import { useRole } from "../shell/session";
import { Live } from "./Live";
import type { Target } from "./operations";
import { Result } from "./Result";
import { View } from "./View";

interface Props {
  runId: string;
  target: Target;
  onStarted(run: string): void;
  /** Chooses anew what to import. */
  onAgain(): void;
  /** A dialog is open over this one, or not any more. */
  onConfirming(open: boolean): void;
  onClose(): void;
}

/** Follows a run to its end, and says what came of it. */
export function Progress({ runId, ...props }: Props) {
  const { mayEdit } = useRole();
  const [{ data, error, fetching }, read] = useQuery({ query: RunById, variables: { id: runId } });
  const run = data?.syncRun;
  const readAgain = () => read({ requestPolicy: "network-only" });
  // The cache takes in what is told.
  useSubscription({ query: RunProgress, variables: { id: runId }, pause: !run || ended(run) });
  useCatchUp(readAgain, error);

  const found = trouble(error);
  if (found && !run) return <Problem what="The import cannot be read" trouble={found} retry={readAgain} />;
  if (!run && fetching) return <Skeleton height={160} aria-busy="true" aria-label="The import is being read" />;
  if (!run || run.integrationId !== props.target.id) {
    return (
      <Empty title="There is no such import">
        <Button variant="default" onClick={props.onAgain}>
          {mayEdit ? "Choose what to import" : "See the last one"}
        </Button>
      </Empty>
    );
  }
  return <View name={ended(run) ? "result" : "live"}>{ended(run) ? <Result run={run} {...props} /> : <Live run={run} {...props} />}</View>;
}
