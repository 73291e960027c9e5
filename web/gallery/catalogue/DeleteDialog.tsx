import { useMutation } from "urql";
import { trouble } from "../errors";
import { ConfirmByName } from "../kit/ConfirmByName";
import { plural } from "../kit/words";
import { useScope } from "../shell/scope";
import { DeleteIntegration, type Integration } from "./operations";

interface Props {
  integration: Integration;
  onClose(): void;
  /** Leads away from what is gone. */
  onDeleted?: () => void;
}

export function DeleteDialog({ integration, onClose, onDeleted }: Props) {
  const { orgId, project } = useScope();
  const [{ fetching, error }, remove] = useMutation(DeleteIntegration);
  const { name, displayName, syncState } = integration;
  async function confirmed() {
    const { error: refused } = await remove({ orgId, projectId: project.id, name });
    if (!refused) onDeleted?.();
  }
  return (
    <ConfirmByName
      title={`Delete ${displayName}?`}
      name={name}
      action="Delete"
      busy={fetching}
      trouble={trouble(error)}
      onConfirm={() => void confirmed()}
      onClose={onClose}
    >
      Its settings and credentials, {plural(syncState.totalSynced, "imported object")} and the history of its runs go with it. This cannot be undone.
    </ConfirmByName>
  );
}
