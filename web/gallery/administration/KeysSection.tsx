import { Badge, Button, SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { useQuery } from "urql";
import { actorInWords } from "../audit/words";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { RowSkeletons } from "../kit/RowSkeletons";
import { capital, count, date, exact } from "../kit/words";
import { useNow, When } from "../kit/When";
import { useScope } from "../shell/scope";
import { useSignedIn } from "../shell/session";
import classes from "./administration.module.css";
import { CreateKeyDialog } from "./CreateKeyDialog";
import { ended, endsSoon, type Group, grouped, subjectOf } from "./keys";
import { type ApiKey, ApiKeys } from "./operations";
import { RevokeDialog } from "./RevokeDialog";
import { Cell, Row, Rows } from "./Rows";
import { SectionHead } from "./SectionHead";

const atOnce = 50;

/** API keys, and the browser sessions that are keys as well: who has access by which, and how to end it. */
export function KeysSection() {
  const { orgId } = useScope();
  const [{ data, error }, read] = useQuery({ query: ApiKeys, variables: { orgId } });
  const [group, setGroup] = useState<Group>("keys");
  const [shown, setShown] = useState(atOnce);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const now = useNow();
  const groups = data && grouped(data.apiKeys, now);
  const problem = trouble(error);
  const listed = groups?.[group];

  return (
    <>
      <SectionHead title="API keys" action={<Button onClick={() => setCreating(true)}>Create a key</Button>}>
        With a key, a program or a person has access to organisation {orgId}. Only a key’s beginning is kept here: whoever lost one makes another.
      </SectionHead>
      {groups && (
        <div className={classes.bar}>
          <SegmentedControl
            aria-label="Show"
            value={group}
            onChange={(value) => {
              setGroup(value as Group);
              setShown(atOnce);
            }}
            data={[
              { value: "keys", label: `Keys (${count(groups.keys.length)})` },
              { value: "sessions", label: `Sessions (${count(groups.sessions.length)})` },
              { value: "ended", label: `Ended (${count(groups.ended.length)})` },
            ]}
          />
        </div>
      )}
      {problem && !(data && problem.code === "OFFLINE") && <Problem what="The keys cannot be read" trouble={problem} retry={() => read({ requestPolicy: "network-only" })} />}
      {!data && !problem && <RowSkeletons label="The keys are being read" />}
      {listed && listed.length > 0 && (
        <Rows label={{ keys: "API keys", sessions: "Browser sessions", ended: "Ended keys and sessions" }[group]} columns={["Name", "Role", "Projects", "Last used", "Ends", ""]}>
          {listed.slice(0, shown).map((key) => (
            <KeyRow key={key.id} of={key} onRevoke={() => setRevoking(key)} />
          ))}
        </Rows>
      )}
      {listed && listed.length > shown && (
        <div className={classes.more}>
          <Button variant="default" onClick={() => setShown(shown + atOnce)}>
            Show more of {count(listed.length)}
          </Button>
        </div>
      )}
      {listed?.length === 0 && (
        <div className={classes.panel}>
          {group === "keys" && <Empty title="There is no API key">Programs and other people need one to have access.</Empty>}
          {group === "sessions" && <Empty title="Nobody is signed in with a browser">Whoever signs in is listed here until their session ends.</Empty>}
          {group === "ended" && <Empty title="No key has ended yet">Revoked and expired keys stay here, so that it can be told what they were.</Empty>}
        </div>
      )}
      {creating && <CreateKeyDialog onClose={() => setCreating(false)} />}
      {revoking && <RevokeDialog of={revoking} all={data?.apiKeys ?? []} onClose={() => setRevoking(null)} />}
    </>
  );
}

function KeyRow({ of: key, onRevoke }: { of: ApiKey; onRevoke(): void }) {
  const { viewer } = useSignedIn();
  const { projects } = useScope();
  const now = useNow();
  const end = ended(key, now);
  const session = key.sessionOf !== null;
  const by = key.createdBy && !session ? actorInWords(key.createdBy) : null;
  const who = key.sessionOf === null ? null : actorInWords(key.sessionOf);
  const mine = viewer.subject === (key.sessionOf ?? subjectOf(key));
  return (
    <Row quiet={end !== null}>
      <Cell>
        <div className={classes.name}>
          {who ? who.name : key.name}{" "}
          {mine && !end && (
            <Badge size="sm" variant="outline" color="gray" tt="none">
              You
            </Badge>
          )}
        </div>
        <div className={classes.sub}>
          {session ? "Session" : <span className={classes.mono}>{key.prefix}…</span>}
          {who?.detail && ` by ${who.detail}`} · {session ? "signed in" : "made"} <When at={key.createdAt} />
          {by && ` by ${by.name}`}
        </div>
      </Cell>
      <Cell label="Role">{capital(key.role.toLowerCase())}</Cell>
      <Cell label="Projects">{key.projectIds === null ? "All" : key.projectIds.map((id) => projects.find((project) => project.id === id)?.name ?? id).join(", ")}</Cell>
      <Cell label="Last used">{key.lastUsedAt ? <When at={key.lastUsedAt} /> : "Never"}</Cell>
      <Cell label="Ends">{ends()}</Cell>
      <Cell action>
        {!end && (
          <Button size="compact-sm" variant="default" onClick={onRevoke} aria-label={session ? `End the session of ${who?.name}` : `Revoke ${key.name}`}>
            {session ? "End" : "Revoke"}
          </Button>
        )}
      </Cell>
    </Row>
  );

  function ends() {
    if (end) {
      return (
        <>
          {end.how} <When at={end.at} />
        </>
      );
    }
    if (!key.expiresAt) return "Never";
    if (session || endsSoon(key, now)) {
      return (
        <span className={session ? undefined : classes.warn}>
          <When at={key.expiresAt} />
        </span>
      );
    }
    const at = new Date(key.expiresAt);
    return (
      <time dateTime={key.expiresAt} title={exact(at)} className={classes.nowrap}>
        {date(at)}
      </time>
    );
  }
}
