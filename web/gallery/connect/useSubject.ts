import { useState } from "react";
import { useQuery } from "urql";
import { type Trouble, trouble } from "../errors";
import { useScope } from "../shell/scope";
import { freeName } from "./draft";
import { type Integration, IntegrationToConfigure, type Provider, ProviderToConnect } from "./operations";

/** What is configured: a provider that is to be connected, or an integration that exists. */
export type Target = { provider: string } | { integrationId: string };

/** All that the form begins with. */
export interface Subject {
  provider: Provider;
  /** What is stored, or what a new one is called. */
  from: Integration | { name: string; displayName: string };
  /** Names that the project's integrations have. */
  taken: string[];
  /** Whether several of the provider are to be told apart. */
  named: boolean;
}

interface Reading {
  /** As it was when it was read first: a form must not change under who fills it in. */
  subject: Subject | null;
  /** There is none. */
  absent: boolean;
  trouble: Trouble | null;
  read(): void;
}

export function useSubject(target: Target, pause: boolean): Reading {
  const { orgId, project } = useScope();
  const provider = "provider" in target ? target.provider : null;
  const id = "integrationId" in target ? target.integrationId : "";
  // Nothing of what is known by now: it may be older than somebody's last change.
  const fresh = { requestPolicy: "network-only" } as const;
  const [connecting, readProvider] = useQuery({
    query: ProviderToConnect,
    variables: { orgId, projectId: project.id, name: provider ?? "" },
    pause: pause || provider === null,
    ...fresh,
  });
  const [configuring, readIntegration] = useQuery({ query: IntegrationToConfigure, variables: { id }, pause: pause || provider !== null, ...fresh });
  const [subject, setSubject] = useState<Subject | null>(null);

  const now = provider === null ? stored(configuring.data?.integrationById) : toConnect(connecting.data);
  if (!subject && now) setSubject(now);
  const { data, error } = provider === null ? configuring : connecting;
  return {
    subject,
    absent: data !== undefined && !now,
    trouble: trouble(error),
    read: () => (provider === null ? readIntegration : readProvider)(fresh),
  };
}

function stored(found: (Integration & { provider: Provider }) | null | undefined): Subject | null {
  return found ? { provider: found.provider, from: found, taken: [], named: true } : null;
}

type ToConnect = { provider: Provider | null; integrations: { nodes: { name: string; provider: { name: string } }[] } };

function toConnect(data: ToConnect | undefined): Subject | null {
  if (!data?.provider) return null;
  const { provider, integrations } = data;
  const taken = integrations.nodes.map(({ name }) => name);
  const several = integrations.nodes.filter((each) => each.provider.name === provider.name).length;
  const displayName = several > 0 ? `${provider.displayName} ${several + 1}` : provider.displayName;
  return { provider, from: { name: freeName(several > 0 ? displayName : provider.name, taken), displayName }, taken, named: several > 0 };
}
