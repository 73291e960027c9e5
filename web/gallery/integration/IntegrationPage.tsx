import { Button, Skeleton, Stack, Tabs } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useState } from "react";
import { useQuery, useSubscription } from "urql";
import { Link } from "wouter";
import { AuditLog } from "../audit/AuditLog";
import { useCatchUp } from "../connection";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import kit from "../kit/kit.module.css";
import { Problem } from "../kit/Problem";
import { useSideways } from "../kit/useSideways";
import { useAddress } from "../shell/address";
import { useScope } from "../shell/scope";
import { useRole } from "../shell/session";
import { useProjectOf } from "../shell/useProjectOf";
import { Head } from "./Head";
import classes from "./integration.module.css";
import { type Draft, draftKept, keepDraft } from "./lines";
import { Mappings } from "./Mappings";
import { Objects } from "./Objects";
import { type Integration, IntegrationById, StateChanged } from "./operations";
import { Overview } from "./Overview";
import { Runs } from "./Runs";
import { Webhooks } from "./Webhooks";

const tabs = ["overview", "objects", "runs", "webhooks", "mappings", "audit"] as const;
type Tab = (typeof tabs)[number];

const names: Record<Tab, string> = { overview: "Overview", objects: "Objects", runs: "Runs", webhooks: "Webhooks", mappings: "Mappings", audit: "Audit" };

/** Everything of one integration. */
export default function IntegrationPage({ id, tab }: { id: string; tab: string }) {
  const { orgId, project } = useScope();
  const address = useAddress();
  const [{ data, error }, read] = useQuery({ query: IntegrationById, variables: { id } });
  const readAgain = () => read({ requestPolicy: "network-only" });
  const integration = data?.integrationById;
  useSubscription({ query: StateChanged, variables: { orgId, projectId: integration?.projectId ?? project.id }, pause: !integration });
  useCatchUp(readAgain, error);
  useDocumentTitle(integration ? `${integration.displayName} · Patchbay` : "Patchbay");

  const elsewhere = useProjectOf(integration?.projectId);
  const problem = trouble(error);
  if (integration) {
    if (elsewhere) return <Loading />;
    return (
      <>
        {problem && problem.code !== "OFFLINE" && <Problem what="The integration could not be brought up to date" trouble={problem} retry={readAgain} />}
        <Page key={id} integration={integration} tab={tab} readAgain={readAgain} />
      </>
    );
  }
  if (problem && problem.field !== "id") return <Problem what="The integration cannot be read" trouble={problem} retry={readAgain} />;
  if (!data && !problem) return <Loading />;
  return (
    <Empty title="There is no such integration" order={1}>
      <p>It was deleted, or it is one that you have no access to.</p>
      <Button component={Link} href={address.page("/")} variant="default">
        See all integrations
      </Button>
    </Empty>
  );
}

function Page({ integration, tab, readAgain }: { integration: Integration; tab: string; readAgain(): void }) {
  const address = useAddress();
  const { mayAdminister } = useRole();
  const [draft, setDraft] = useState(() => draftKept(integration.id)); // outlives a look at something else
  function change(next: Draft | null) {
    keepDraft(integration.id, next);
    setDraft(next);
  }
  const chosen = tabs.find((name) => name === tab);
  const list = useSideways<HTMLDivElement>(`${chosen} ${draft !== null}`);
  const offered = tabs.filter((name) => name !== "audit" || mayAdminister);
  return (
    <>
      <Head integration={integration} />
      <Tabs
        mt="md"
        value={chosen ?? null}
        onChange={(value) => value && address.go(address.page(`/integrations/${integration.id}/${value}`))}
        activateTabWithKeyboard={false}
        keepMounted={false}
      >
        <Tabs.List ref={list} className={`${classes.tabs} ${kit.sideways}`} aria-label={integration.displayName}>
          {offered.map((name) => (
            <Tabs.Tab key={name} value={name} className={classes.tab}>
              {name === "mappings" && draft ? "Mappings (not saved)" : names[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {offered.map((name) => (
          <Tabs.Panel key={name} value={name} className={classes.panel}>
            {content(name)}
          </Tabs.Panel>
        ))}
      </Tabs>
      {!chosen && <Empty title="There is no such tab" />}
      {chosen === "audit" && !mayAdminister && (
        <Stack mt="md">
          <Problem what="" trouble={{ code: "FORBIDDEN", message: "The audit trail is for administrators.", field: null }} />
        </Stack>
      )}
    </>
  );

  function content(name: Tab) {
    switch (name) {
      case "overview":
        return <Overview integration={integration} />;
      case "objects":
        return <Objects integration={integration} />;
      case "runs":
        return <Runs integration={integration} />;
      case "webhooks":
        return <Webhooks integration={integration} readAgain={readAgain} />;
      case "mappings":
        return <Mappings integration={integration} draft={draft} onDraft={change} />;
      case "audit":
        return <AuditLog integration={integration} />;
    }
  }
}

function Loading() {
  return (
    <div aria-busy="true" aria-label="The integration is being read">
      <div className={classes.head}>
        <Skeleton height={40} width={40} />
        <div className={classes.who}>
          <Skeleton height={20} width={180} />
          <Skeleton height={14} width={240} mt={8} />
        </div>
      </div>
      <Skeleton height={36} mt="lg" />
      <Skeleton height={240} mt="lg" />
    </div>
  );
}
