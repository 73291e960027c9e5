import { Button, Group, Progress, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useClient, useMutation, useQuery } from "urql";
import { usePolling } from "../connection";
import { type Trouble, trouble } from "../errors";
import { Announced } from "../kit/Announced";
import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { RowSkeletons } from "../kit/RowSkeletons";
import { When } from "../kit/When";
import { count, plural } from "../kit/words";
import classes from "./administration.module.css";
import { Encryption, Me, type Rotation, RotateKey, Unreadable } from "./operations";
import { Cell, Row, Rows } from "./Rows";
import { SectionHead } from "./SectionHead";

/** How often is asked while a rotation goes on, in milliseconds. */
const pollEvery = 1_000;

/** Which keys sealed the organisation's secrets, and the rotation to another one. */
export function EncryptionSection() {
  const [{ data, error }, read] = useQuery({ query: Encryption });
  const [{ data: me }] = useQuery({ query: Me });
  const [asking, setAsking] = useState(false);
  const limited = me?.viewer.projectIds !== null;
  const status = data?.encryptionStatus;
  const running = status?.rotation?.finishedAt === null;
  const problem = trouble(error);
  usePolling(() => read({ requestPolicy: "network-only" }), pollEvery, running);

  const older = status?.sealedRows.filter(({ keyId }) => keyId !== status.currentKeyId) ?? [];
  const left = older.reduce((sum, { rows }) => sum + rows, 0);
  return (
    <>
      <SectionHead
        title="Encryption"
        action={
          me && !limited && left > 0 && !running && <Button onClick={() => setAsking(true)}>Seal anew under the current key</Button>
        }
      >
        Tokens and other secrets are sealed inside the database under the server’s encryption key. Its id is a fingerprint, from which the key cannot be found.
      </SectionHead>
      {problem && !(data && problem.code === "OFFLINE") && <Problem what="The state of encryption cannot be read" trouble={problem} retry={() => read({ requestPolicy: "network-only" })} />}
      {!status && !problem && <RowSkeletons label="The state of encryption is being read" />}
      {status && (
        <Stack gap="lg">
          <Rows label="Encryption keys" columns={["Key", "Integrations sealed", "State"]}>
            {[...(status.sealedRows.some(({ keyId }) => keyId === status.currentKeyId) ? [] : [{ keyId: status.currentKeyId, rows: 0 }]), ...status.sealedRows].map(({ keyId, rows }) => (
              <Row key={keyId}>
                <Cell>
                  <span className={classes.mono}>{keyId}</span>
                </Cell>
                <Cell label="Sealed">{count(rows)}</Cell>
                <Cell label="State">{keyId === status.currentKeyId ? "Current: new secrets are sealed under it" : <span className={classes.warn}>Earlier: needed until its integrations are sealed anew</span>}</Cell>
              </Row>
            ))}
          </Rows>
          {!running && (
            <Text size="sm">
              {left > 0 ? (
                <>
                  {plural(left, "integration")} {left === 1 ? "is" : "are"} still sealed under an earlier key.{" "}
                  {limited ? "An administrator of all projects can seal what is left anew" : "Seal what is left anew"}; then whoever runs the server can take that key out of{" "}
                  <code>INTEGRATION_ENCRYPTION_PREVIOUS_KEYS</code>.
                </>
              ) : (
                <>
                  Nothing waits to be sealed anew. To change the key, whoever runs the server sets another <code>INTEGRATION_ENCRYPTION_KEY</code> and keeps this one in{" "}
                  <code>INTEGRATION_ENCRYPTION_PREVIOUS_KEYS</code>; then this page offers to seal everything anew.
                </>
              )}
            </Text>
          )}
          {status.rotation && <Progressing of={status.rotation} />}
          <Counting />
        </Stack>
      )}
      {asking && <RotateDialog onClose={() => setAsking(false)} />}
    </>
  );
}

function Progressing({ of: { total, done, failed, finishedAt } }: { of: Rotation }) {
  const most = Math.max(total, done + failed);
  const words = `${count(done)} of ${plural(most, "integration")} sealed anew`;
  return (
    <section className={`${classes.panel} ${classes.padded}`} aria-label="Rotation">
      <Stack gap="xs">
        <Text fw={600} size="sm" component="h2">
          {finishedAt ? (
            <>
              Sealed anew <When at={finishedAt} />
            </>
          ) : (
            "Sealing anew"
          )}
        </Text>
        {!finishedAt && most > 0 && <Progress value={(100 * (done + failed)) / most} aria-label="Sealed anew" />}
        <Text size="sm">
          {words}
          {!finishedAt && ". It goes on when you leave this page."}
        </Text>
        <Announced>{finishedAt ? words : "Sealing anew"}</Announced>
        {failed > 0 && (
          <Text size="sm" className={classes.bad}>
            {plural(failed, "integration")} did not open and stayed as {failed === 1 ? "it was" : "they were"}: damaged, or copied from elsewhere. The server’s log has the ids. Giving every secret
            setting and the webhook secret anew mends that, and so does deleting the integration; until then the server needs the earlier key.
          </Text>
        )}
      </Stack>
    </section>
  );
}

/** Counts what does not open, which is costly and recorded, only when it is asked to. */
function Counting() {
  const client = useClient();
  const [counting, setCounting] = useState(false);
  const [found, setFound] = useState<number | null>(null);
  const [problem, setProblem] = useState<Trouble | null>(null);

  async function run() {
    setCounting(true);
    const { data, error } = await client.query(Unreadable, {}, { requestPolicy: "network-only" }).toPromise();
    setCounting(false);
    setProblem(trouble(error));
    setFound(data?.encryptionStatus.unreadable ?? null);
  }
  return (
    <section className={`${classes.panel} ${classes.padded}`} aria-label="Unreadable secrets">
      <Stack gap="xs" align="start">
        <Text fw={600} size="sm" component="h2">
          Does everything open?
        </Text>
        <Text size="sm" c="dimmed">
          To find out, the database opens every secret once, which takes a second for some thousand integrations; nothing leaves it. The audit log records that it was done.
        </Text>
        <div role="status">
          {found !== null && (
            <Text size="sm" className={found > 0 ? classes.bad : undefined}>
              {found === 0
                ? "Everything opens."
                : `The secrets of ${plural(found, "integration")} do not open: damaged, or copied from elsewhere. Give every secret setting and the webhook secret anew, or delete the integration.`}
            </Text>
          )}
        </div>
        {problem && <Problem what="It could not be counted" trouble={problem} />}
        <Button variant="default" size="xs" loading={counting} onClick={() => void run()}>
          Count what does not open
        </Button>
      </Stack>
    </section>
  );
}

function RotateDialog({ onClose }: { onClose(): void }) {
  const [{ error, fetching }, rotate] = useMutation(RotateKey);
  const problem = trouble(error);
  async function confirm() {
    const { error } = await rotate({});
    if (!error) onClose();
  }
  return (
    <Dialog onClose={onClose} title="Seal anew under the current key?">
      <Stack>
        <Text size="sm">
          Every secret that an earlier key sealed is opened inside the database and sealed under the current key, in the background, while everything goes on working. What does not open stays as it is,
          and is counted. The audit log records it.
        </Text>
        {problem && <Problem what="The rotation could not begin" trouble={problem} />}
        <Group justify="end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button loading={fetching} onClick={() => void confirm()}>
            Seal anew
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
