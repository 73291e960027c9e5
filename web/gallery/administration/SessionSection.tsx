import { Button, Skeleton } from "@mantine/core";
import { useState } from "react";
import { useQuery } from "urql";
import { actorInWords } from "../audit/words";
import { trouble } from "../errors";
import { Facts } from "../kit/Facts";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { exact } from "../kit/words";
import { useScope } from "../shell/scope";
import { useSignedIn } from "../shell/session";
import classes from "./administration.module.css";
import { Me } from "./operations";
import { SectionHead } from "./SectionHead";

const may = {
  VIEWER: "Viewer: sees integrations, their runs and what was imported; changes nothing.",
  EDITOR: "Editor: connects, changes and synchronises integrations.",
  ADMIN: "Administrator: does everything, makes API keys and reads the audit log.",
};

/** Who one is here, what that allows, and until when. */
export function SessionSection() {
  const [{ data, error }, read] = useQuery({ query: Me });
  const { projects } = useScope();
  const { signOut } = useSignedIn();
  const [complaint, setComplaint] = useState<string | null>(null);
  const problem = trouble(error);
  return (
    <>
      <SectionHead
        title="Your session"
        action={
          <Button variant="default" onClick={() => void signOut().then(setComplaint)}>
            Sign out
          </Button>
        }
      >
        Who you are to this server, and what that allows.
      </SectionHead>
      {complaint && <Problem what="You are still signed in" trouble={{ message: complaint, code: "INTERNAL", field: null }} />}
      {problem && !data && <Problem what="The server did not say who you are" trouble={problem} retry={() => read({ requestPolicy: "network-only" })} />}
      <div className={`${classes.panel} ${classes.padded}`}>
        {data ? facts(data.viewer) : <Skeleton height={120} aria-busy="true" />}
      </div>
    </>
  );

  function facts({ subject, orgId, role, projectIds, expiresAt }: NonNullable<typeof data>["viewer"]) {
    const { name, detail } = actorInWords(subject);
    return (
      <Facts>
        <dt>Name</dt>
        <dd>
          <span className={classes.name}>{name}</span>
          {detail && <div className={classes.sub}>{detail}</div>}
        </dd>
        <dt>In the audit log as</dt>
        <dd className={classes.mono}>{subject}</dd>
        <dt>Organisation</dt>
        <dd>{orgId}</dd>
        <dt>Role</dt>
        <dd>{may[role]}</dd>
        <dt>Projects</dt>
        <dd>{projectIds === null ? "All of the organisation’s" : projectIds.map((id) => projects.find((project) => project.id === id)?.name ?? id).join(", ")}</dd>
        <dt>Session ends</dt>
        <dd>
          {expiresAt ? (
            <>
              <When at={expiresAt} />, {exact(new Date(expiresAt))}
            </>
          ) : (
            "Not by itself"
          )}
        </dd>
      </Facts>
    );
  }
}
