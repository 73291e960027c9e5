import { Anchor, Button } from "@mantine/core";
import { type ReactNode, useId, useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { trouble } from "../errors";
import type { VariablesOf } from "../graphql";
import { Problem } from "../kit/Problem";
import { actionInWords, actorInWords, changesInWords } from "../kit/trail";
import { When } from "../kit/When";
import { exact } from "../kit/words";
import { useAddress } from "../shell/address";
import { useScope } from "../shell/scope";
import classes from "./administration.module.css";
import { ApiKeys, type AuditEvent, AuditPage, IntegrationNames } from "./operations";
import { RowSkeletons } from "./Rows";

interface Props {
  variables: Omit<VariablesOf<typeof AuditPage>, "after">;
  actorChosen(actor: string): void;
  empty: ReactNode;
}

/** The entries that fit, page by page. */
export function AuditEntries({ variables, actorChosen, empty }: Props) {
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return pages.map((after, index) => (
    <Page
      key={after}
      variables={{ ...variables, after }}
      actorChosen={actorChosen}
      empty={empty}
      onMore={index === pages.length - 1 ? (next) => setPages([...pages, next]) : null}
    />
  ));
}

interface PageProps extends Omit<Props, "variables"> {
  variables: VariablesOf<typeof AuditPage>;
  onMore: ((next: string) => void) | null;
}

function Page({ variables, actorChosen, empty, onMore }: PageProps) {
  const { orgId, project } = useScope();
  // Another page is read once: what is shown does not move under its reader.
  const [{ data, error }, read] = useQuery({ query: AuditPage, variables, requestPolicy: variables.after ? "cache-first" : "cache-and-network" });
  const [{ data: named }] = useQuery({ query: IntegrationNames, variables: { orgId, projectId: project.id } });
  const [{ data: listed }] = useQuery({ query: ApiKeys, variables: { orgId }, requestPolicy: "cache-first" });
  const problem = trouble(error);
  if (problem && !data) return <Problem what="The audit log cannot be read" trouble={problem} retry={() => read({ requestPolicy: "network-only" })} />;
  if (!data) return <RowSkeletons label="The audit log is being read" />;
  const { nodes, pageInfo } = data.auditEvents;
  const keyNames = new Map(listed?.apiKeys.map((key) => [key.id, key.name]));
  const integrationNames = new Map(named?.integrations.nodes.map((each) => [each.id, each.displayName]));
  const next = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  if (nodes.length === 0) return empty;
  return (
    <>
      <div className={classes.panel} style={variables.after ? { marginTop: -1 } : undefined}>
        <ul className={classes.entries}>
          {nodes.map((event) => (
            <li key={event.id}>
              <Entry of={event} keyNames={keyNames} integrationNames={integrationNames} actorChosen={actorChosen} />
            </li>
          ))}
        </ul>
      </div>
      {next !== null && onMore && (
        <div className={classes.more}>
          <Button variant="default" onClick={() => onMore(next)}>
            Load more
          </Button>
        </div>
      )}
    </>
  );
}

interface EntryProps {
  of: AuditEvent;
  keyNames: ReadonlyMap<string, string>;
  /** Those of the project that is looked at, which still are there. */
  integrationNames: ReadonlyMap<string, string>;
  actorChosen(actor: string): void;
}

function Entry({ of: event, keyNames, integrationNames, actorChosen }: EntryProps) {
  const [open, setOpen] = useState(false);
  const details = useId();
  const address = useAddress();
  const { projects } = useScope();
  const { name: actor } = actorInWords(event.actor);
  const changes = changesInWords(event.changes).map(([what, value]) => [what, keyNames.get(value) ?? value] as const);
  // A key by its name says it twice.
  const told = changes.filter(([what, value]) => what !== "Name" || !changes.some(([other, same]) => other === "Key" && same === value));
  const name = event.integrationId && integrationNames.get(event.integrationId);
  const said = actionInWords(event.action);
  const project = projects.find(({ id }) => id === event.projectId);
  return (
    <article aria-label={`${actor}: ${said}`}>
      <div className={classes.entry}>
        <span>
          <When at={event.at} />
        </span>
        <div>
          <span className={classes.name}>{actor}</span> <span className={event.action === "mutation.denied" ? classes.warn : undefined}>{said.charAt(0).toLowerCase() + said.slice(1)}</span>
          {name && (
            <>
              {": "}
              <Anchor component={Link} href={address.page(`/integrations/${event.integrationId}`)} underline="always" inherit>
                {name}
              </Anchor>
            </>
          )}
          {told.length > 0 && (
            <dl className={classes.changes}>
              {told.map(([what, value]) => (
                <div key={what}>
                  <dt>{what}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          )}
        </div>
        <Button size="compact-xs" variant="subtle" color="gray" onClick={() => setOpen(!open)} aria-expanded={open} aria-controls={details} aria-label={`${open ? "Less" : "More"} of ${actor}: ${said}`}>
          {open ? "Less" : "More"}
        </Button>
      </div>
      <div id={details} hidden={!open}>
        {open && (
          <dl className={`${classes.facts} ${classes.details}`}>
            <dt>When</dt>
            <dd>{exact(new Date(event.at))}</dd>
            <dt>Who</dt>
            <dd>
              {event.actor}{" "}
              <Button size="compact-xs" variant="default" onClick={() => actorChosen(event.actor)}>
                Only this one
              </Button>
            </dd>
            <dt>Action</dt>
            <dd className={classes.mono}>{event.action}</dd>
            <dt>Project</dt>
            <dd>{event.projectId === null ? "The whole organisation" : (project?.name ?? event.projectId)}</dd>
            {event.integrationId && (
              <>
                <dt>Integration</dt>
                <dd className={classes.mono}>{event.integrationId}</dd>
              </>
            )}
            <dt>From</dt>
            <dd>{event.remoteAddr ?? "This server"}</dd>
            {event.requestId && (
              <>
                <dt>Request</dt>
                <dd className={classes.mono}>{event.requestId}</dd>
              </>
            )}
          </dl>
        )}
      </div>
    </article>
  );
}
