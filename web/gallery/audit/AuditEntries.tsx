import { Anchor, Button } from "@mantine/core";
import { useId, useState } from "react";
import { Link } from "wouter";
import { Facts } from "../kit/Facts";
import { MoreButton } from "../kit/MoreButton";
import { When } from "../kit/When";
import { exact } from "../kit/words";
import { useAddress } from "../shell/address";
import { useScope } from "../shell/scope";
import { Actor } from "./Actor";
import classes from "./audit.module.css";
import type { AuditEvent, NamedIntegration } from "./operations";
import { actionInWords, actorInWords, changesInWords } from "./words";

interface Props {
  nodes: AuditEvent[];
  loading: boolean;
  /** All are of one integration, which need not be named. */
  ofOne: boolean;
  keys: { id: string; name: string }[] | undefined;
  /** Those of the project that is looked at, which still are there. */
  integrations: NamedIntegration[] | undefined;
  actorChosen(actor: string): void;
  more: (() => void) | null;
}

export function AuditEntries({ nodes, loading, ofOne, keys, integrations, actorChosen, more }: Props) {
  const keyNames = new Map(keys?.map((key) => [key.id, key.name]));
  const integrationNames = new Map(integrations?.map((each) => [each.id, each.displayName]));
  return (
    <>
      <ul className={classes.entries} data-stale={loading} aria-busy={loading}>
        {nodes.map((event) => (
          <li key={event.id}>
            <Entry of={event} ofOne={ofOne} keyNames={keyNames} integrationNames={integrationNames} actorChosen={actorChosen} />
          </li>
        ))}
      </ul>
      <MoreButton more={more} loading={loading} />
    </>
  );
}

interface EntryProps {
  of: AuditEvent;
  ofOne: boolean;
  keyNames: ReadonlyMap<string, string>;
  integrationNames: ReadonlyMap<string, string>;
  actorChosen(actor: string): void;
}

function Entry({ of: event, ofOne, keyNames, integrationNames, actorChosen }: EntryProps) {
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
          <span className={classes.name}>
            <Actor of={event.actor} />
          </span> <span className={event.action === "mutation.denied" ? classes.warn : undefined}>{said.charAt(0).toLowerCase() + said.slice(1)}</span>
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
          <div className={classes.details}>
            <Facts>
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
              {event.integrationId && !ofOne && (
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
            </Facts>
          </div>
        )}
      </div>
    </article>
  );
}
