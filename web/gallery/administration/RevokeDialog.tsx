import { Button, Group, Stack, Text } from "@mantine/core";
import { useMutation } from "urql";
import { actorInWords } from "../audit/words";
import { trouble } from "../errors";
import { ConfirmByName } from "../kit/ConfirmByName";
import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { plural } from "../kit/words";
import { useNow, When } from "../kit/When";
import { useSignedIn } from "../shell/session";
import { grouped, subjectOf } from "./keys";
import { type ApiKey, RevokeApiKey } from "./operations";

/** Ends a key, whose name has to be typed, or a session, for which a click will do: one signs in again. */
export function RevokeDialog({ of: key, all, onClose }: { of: ApiKey; all: readonly ApiKey[]; onClose(): void }) {
  const { viewer } = useSignedIn();
  const [{ fetching, error }, revoke] = useMutation(RevokeApiKey);
  const sessions = grouped(all, useNow()).sessions.filter(({ sessionOf }) => sessionOf === subjectOf(key)).length;
  const problem = trouble(error);
  const mine = viewer.subject === (key.sessionOf ?? subjectOf(key));

  async function confirm() {
    const { error } = await revoke({ id: key.id });
    if (!error) onClose();
  }

  if (key.sessionOf !== null) {
    return (
      <Dialog onClose={onClose} title={`End the session of ${actorInWords(key.sessionOf).name}?`}>
        <Stack>
          <Text size="sm">
            It began <When at={key.createdAt} />. The browser is asked to sign in again within seconds{mine ? ", which may be this one" : ""}. Keys that were made in it go on.
          </Text>
          {problem && <Problem what="The session could not be ended" trouble={problem} />}
          <Group justify="end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button color="red" loading={fetching} onClick={() => void confirm()}>
              End the session
            </Button>
          </Group>
        </Stack>
      </Dialog>
    );
  }
  return (
    <ConfirmByName title={`Revoke ${key.name}?`} name={key.name} action="Revoke" busy={fetching} trouble={problem} onConfirm={() => void confirm()} onClose={onClose}>
      Whoever uses this key is refused within seconds
      {sessions > 0 && `, and ${plural(sessions, "browser session")} that it began ${sessions === 1 ? "ends" : "end"} with it`}. It was{" "}
      {key.lastUsedAt ? (
        <>
          last used <When at={key.lastUsedAt} />
        </>
      ) : (
        "never used"
      )}
      . This cannot be undone; a new key can take its place.
      {mine && <strong> You are signed in with this key: your own session ends too.</strong>}
    </ConfirmByName>
  );
}
