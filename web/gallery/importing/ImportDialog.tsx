import { Modal, Skeleton, Stack } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { useQuery, useSubscription } from "urql";
import { SyncStateChanged } from "../catalogue/operations";
import { useCatchUp } from "../connection";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import { useProjectUnderDialog } from "../shell/useProjectOf";
import { Choice } from "./Choice";
import classes from "./importing.module.css";
import { LatestRun, ToLatestRun } from "./LatestRun";
import { NotReady, ready } from "./NotReady";
import { ImportTarget } from "./operations";
import { Progress } from "./Progress";

/** What to import, how far that is, and what came of it. The run that it follows is in the address. */
export default function ImportDialog({ integrationId, onClose }: { integrationId: string; onClose(): void }) {
  const { mayEdit } = useRole();
  const { run, follow } = useAddress();
  const phone = useMediaQuery("(max-width: 40em)", undefined, { getInitialValueInEffect: false });
  const [{ data, error, stale, fetching }, read] = useQuery({ query: ImportTarget, variables: { id: integrationId } });
  const target = data?.integrationById;
  useProjectUnderDialog(target?.projectId);
  const readAgain = () => read({ requestPolicy: "network-only" });
  useSubscription({
    query: SyncStateChanged,
    variables: { orgId: target?.orgId ?? "", projectId: target?.projectId ?? "" },
    pause: !target,
  });
  useCatchUp(readAgain, error);

  // A run that is live as the dialog opens is followed; of one that begins later, whoever chooses is told.
  const [opened, setOpened] = useState(false);
  const current = target?.syncState.currentRun?.id ?? null;
  const known = !fetching && !stale;
  useEffect(() => {
    if (opened || !known) return;
    if (current !== null && current !== run) follow(current);
    setOpened(true);
  }, [opened, known, current, run, follow]);

  const [confirming, setConfirming] = useState(false);
  return (
    <Modal
      opened
      onClose={onClose}
      closeOnEscape={!confirming}
      title={target ? `Import from ${target.displayName}` : "Import"}
      size={720}
      fullScreen={phone}
      classNames={{ body: classes.body, content: classes.content }}
    >
      {inside()}
    </Modal>
  );

  function inside() {
    const found = trouble(error);
    if (found && !target) return <Problem what="The integration cannot be read" trouble={found} retry={readAgain} />;
    if (data && !target) return <Empty title="There is no such integration">It may have been deleted, or belong to a project that you have no access to.</Empty>;
    if (!target || !opened) return <Skeletons />;
    if (run === "last") return <ToLatestRun target={target} onFollow={follow} />;
    if (run !== null) {
      return (
        <Progress
          key={run}
          runId={run}
          target={target}
          onStarted={follow}
          onAgain={() => follow(null)}
          onConfirming={setConfirming}
          onClose={onClose}
        />
      );
    }
    if (!mayEdit) return <LatestRun target={target} onFollow={follow} />;
    return ready(target) ? <Choice target={target} onStarted={follow} onBusy={readAgain} /> : <NotReady target={target} />;
  }
}

function Skeletons() {
  return (
    <Stack aria-busy="true" aria-label="The import is being read" gap="sm">
      <Skeleton height={16} width="60%" />
      <Skeleton height={200} />
      <Skeleton height={36} width={160} />
    </Stack>
  );
}
