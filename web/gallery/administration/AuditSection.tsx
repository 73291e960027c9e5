import { Button } from "@mantine/core";
import { useState } from "react";
import { useSearchParams } from "wouter";
import { Empty } from "../kit/Empty";
import { useScope } from "../shell/scope";
import classes from "./administration.module.css";
import { AuditEntries } from "./AuditEntries";
import { AuditFilters } from "./AuditFilters";
import { isNarrowed, readFilters, times, writeFilters } from "./filters";
import { SectionHead } from "./SectionHead";

/** Who did what, newest first. What it is narrowed to is in the address. */
export function AuditSection() {
  const { orgId, project } = useScope();
  const [query, setQuery] = useSearchParams();
  const [asked, setAsked] = useState(() => new Date());
  const filters = readFilters(query);
  const { action, actor, integration, projectOnly } = filters;
  const variables = {
    orgId,
    projectId: projectOnly ? project.id : null,
    filter: { action, actor, integrationId: integration, ...times(filters, asked) },
  };
  const clear = () => setQuery(writeFilters(query, readFilters(new URLSearchParams())), { replace: true });

  return (
    <>
      <SectionHead
        title="Audit log"
        action={
          <Button variant="default" onClick={() => setAsked(new Date())}>
            Look again
          </Button>
        }
      >
        Every change, every sign-in and every opening of secrets in organisation {orgId}. Entries are written with what they tell of, and nobody can change them; none holds a secret.
      </SectionHead>
      <AuditFilters value={filters} onChange={(next) => setQuery(writeFilters(query, next), { replace: true })} />
      <AuditEntries
        key={JSON.stringify([variables, asked])}
        variables={variables}
        actorChosen={(chosen) => setQuery(writeFilters(query, { ...filters, actor: chosen }), { replace: true })}
        empty={
          <div className={classes.panel}>
            {isNarrowed(filters) ? (
              <Empty title="No entry fits that">
                <Button variant="default" onClick={clear}>
                  Show all
                </Button>
              </Empty>
            ) : (
              <Empty title="Nothing has happened yet" />
            )}
          </div>
        }
      />
    </>
  );
}
