import { Alert, Button, Text } from "@mantine/core";
import { useState } from "react";
import { useMutation } from "urql";
import { trouble } from "../errors";
import { ConfirmByName } from "../kit/ConfirmByName";
import { AlertIcon } from "../kit/icons";
import { count, plural } from "../kit/words";
import { useRole } from "../shell/session";
import { StartImport, type Target } from "./operations";

interface Props {
  gone: number;
  covered: number;
  target: Target;
  onStarted(run: string): void;
  onConfirming(open: boolean): void;
}

/** So much is missing at the provider that nothing was marked as deleted: asks for a word, and takes it. */
export function Deletions({ gone, covered, target, onStarted, onConfirming }: Props) {
  const { mayEdit } = useRole();
  const [asking, setAsking] = useState(false);
  const [{ fetching, error }, start] = useMutation(StartImport);
  const from = target.provider.displayName;

  function ask(open: boolean) {
    setAsking(open);
    onConfirming(open);
  }
  async function confirm() {
    const { data } = await start({ id: target.id, input: { mode: "FULL", confirmDeletions: true } });
    if (!data) return;
    onConfirming(false);
    onStarted(data.startSync.id);
  }
  return (
    <Alert color="yellow" icon={<AlertIcon />} title="Nothing was marked as deleted">
      <Text size="sm">
        {count(gone)} of {plural(covered, "object")} were not found in {from} any more. That may be a change of access as well as deletions. Look in {from}; if they were deleted
        there indeed, another full import can mark them as deleted here.
      </Text>
      {mayEdit && (
        <Button size="xs" variant="default" mt="sm" onClick={() => ask(true)}>
          Mark them as deleted…
        </Button>
      )}
      {asking && (
        <ConfirmByName
          title={`Mark some ${plural(gone, "object")} as deleted?`}
          name={target.name}
          action="Import and delete"
          busy={fetching}
          trouble={trouble(error)}
          onConfirm={() => void confirm()}
          onClose={() => ask(false)}
        >
          Everything that is selected is read again. What is missing then is marked as deleted, however much it is, and is not shown any more. What {from} has again later comes
          back with an import.
        </ConfirmByName>
      )}
    </Alert>
  );
}
