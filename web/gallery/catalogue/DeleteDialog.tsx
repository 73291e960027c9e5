import { useMutation } from "urql";
import { trouble } from "../errors";
import { ConfirmByName } from "../kit/ConfirmByName";
import { plural } from "../kit/words";
import { useScope } from "../shell/scope";
import { DeleteIntegration, type Integration } from "./operations";

export function DeleteDialog({ integration, opened, onClose }: { integration: Integration; opened: boolean; onClose(): void }) {
  const { orgId, project } = useScope();
  const [{ fetching, error }, remove] = useMutation(DeleteIntegration);
  const { name, displayName, syncState } = integration;
  return (
    <ConfirmByName
      opened={opened}
      title={`Delete ${displayName}?`}
      name={name}
      action="Delete"
      busy={fetching}
      trouble={trouble(error)}
      onConfirm={() => void remove({ orgId, projectId: project.id, name })}
      onClose={onClose}
    >
      Its settings and credentials, {plural(syncState.totalSynced, "imported object")} and the history of its runs go with it. This cannot be undone.
    </ConfirmByName>
  );
}
