import { Button } from "@mantine/core";
import { useState } from "react";
import { useQuery } from "urql";
import { useSearchParams } from "wouter";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { RowSkeletons } from "../kit/RowSkeletons";
import { usePages } from "../kit/usePages";
import { useScope } from "../shell/scope";
import { AuditEntries } from "./AuditEntries";
import { AuditFilters } from "./AuditFilters";
import { isNarrowed, readFilters, times, writeFilters } from "./filters";
import { AuditPage, Names } from "./operations";

const everything = readFilters(new URLSearchParams());

/** Who did what, newest first: with one integration, or else in the organisation. What it is narrowed to is in the address. */
export function AuditLog({ integration }: { integration?: { id: string; projectId: string } }) {
  const { orgId, project } = useScope();
  const [query, setQuery] = useSearchParams();
  const filters = readFilters(query);
  // "The last hour" is the one before it was asked for, whenever the page was opened.
  const chosen = JSON.stringify(filters);
  const [asked, setAsked] = useState(() => ({ chosen, at: new Date() }));
  if (asked.chosen !== chosen) setAsked({ chosen, at: new Date() });
  const { action, actor } = filters;
  const narrow = (next: typeof filters) => setQuery(writeFilters(query, next), { replace: true });
  const variables = {
    orgId,
    projectId: integration ? integration.projectId : filters.projectOnly ? project.id : null,
    filter: { action, actor, integrationId: integration ? integration.id : filters.integration, ...times(filters, asked.at) },
  };
  const { nodes, loading, error, more, again } = usePages(AuditPage, variables, (data) => data.auditEvents);
  const [{ data: named }] = useQuery({ query: Names, variables: { orgId, projectId: project.id }, pause: integration !== undefined });
  const problem = trouble(error);

  return (
    <>
      <AuditFilters
        value={filters}
        onChange={narrow}
        ofOne={integration !== undefined}
        integrations={named?.integrations.nodes}
        onAgain={() => {
          setAsked({ chosen, at: new Date() });
          again();
        }}
      />
      {problem && !(nodes && problem.code === "OFFLINE") && <Problem what="The audit log cannot be read" trouble={problem} retry={again} />}
      {!nodes && !problem && <RowSkeletons label="The audit log is being read" />}
      {nodes && nodes.length > 0 && (
        <AuditEntries
          nodes={nodes}
          loading={loading}
          ofOne={integration !== undefined}
          keys={named?.apiKeys}
          integrations={named?.integrations.nodes}
          actorChosen={(chosen) => narrow({ ...filters, actor: chosen })}
          more={more}
        />
      )}
      {nodes?.length === 0 && !loading && (
        <Empty title={isNarrowed(filters) ? "No entry fits that" : "Nothing has happened yet"}>
          {isNarrowed(filters) && (
            <Button variant="default" onClick={() => narrow(everything)}>
              Show all
            </Button>
          )}
        </Empty>
      )}
    </>
  );
}
