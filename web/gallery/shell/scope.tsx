import { Button, Container, Group, Skeleton, Stack, TextInput } from "@mantine/core";
import { createContext, Fragment, type ReactNode, type SubmitEvent, useContext, useEffect, useState } from "react";
import { useMutation } from "urql";
import { trouble } from "../errors";
import { graphql } from "../graphql";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { usePages } from "../kit/usePages";
import { useAddress } from "./address";
import { useRole, useSignedIn } from "./session";

export interface Project {
  id: string;
  name: string;
}

interface Scope {
  orgId: string;
  project: Project;
  projects: Project[];
}

const Context = createContext<Scope | null>(null);

/** The organisation and project that is looked at. */
export function useScope(): Scope {
  const value = useContext(Context);
  if (!value) throw new Error("there is no project here");
  return value;
}

/** The projects that one may choose from, and the one that the address has, or the first. Undefined until they are known. */
export function useProjects() {
  const { orgId } = useSignedIn().viewer;
  const { project } = useAddress();
  const { nodes, loading, error, more, again } = usePages(Projects, { orgId: orgId ?? "" }, (data) => data.projects, orgId === null);
  useEffect(() => {
    if (!loading && !error) more?.();
  });
  const chosen = project === null ? nodes?.[0] : nodes?.find(({ id }) => id === project);
  return { projects: nodes, chosen, complete: !loading && (!more || error !== undefined), error, again };
}

const Projects = graphql(`
  query Projects($orgId: ID!, $after: String) {
    projects(orgId: $orgId, first: 200, after: $after) {
      nodes { id name }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const CreateProject = graphql(`
  mutation CreateProject($input: CreateProjectInput!) {
    createProject(input: $input) { id name }
  }
`);

/** Knows the project by the address, or takes the first one and writes it there, and shows nothing without. */
export function ScopeProvider({ children }: { children: ReactNode }) {
  const { viewer } = useSignedIn();
  const address = useAddress();
  const { projects, chosen, complete, error, again } = useProjects();
  // Another one may be the first before long.
  const first = address.project === null ? chosen?.id : undefined;
  useEffect(() => {
    if (first !== undefined) address.go(address.within(first), { replace: true });
  });

  if (viewer.orgId !== null && projects && chosen) {
    return (
      <Context value={{ orgId: viewer.orgId, project: chosen, projects }}>
        {/* Of another project nothing is left: its cards would stay until the answer, and act on this one. */}
        <Fragment key={chosen.id}>{children}</Fragment>
      </Context>
    );
  }
  return (
    <Container size={1440} py="lg">
      {without()}
    </Container>
  );

  function without() {
    const found = trouble(error);
    if (viewer.orgId === null) return <Empty title="You belong to no organisation">Integrations belong to one. Ask who runs this server.</Empty>;
    if (found && !projects) return <Problem what="The projects cannot be read" trouble={found} retry={again} />;
    if (!projects || !complete) return <Skeleton height={32} width={240} />;
    if (projects.length === 0) return <FirstProject orgId={viewer.orgId} />;
    return (
      <Empty title="There is no such project">
        <Button variant="default" onClick={() => address.go("/")}>
          Go to {projects[0]?.name}
        </Button>
      </Empty>
    );
  }
}

function FirstProject({ orgId }: { orgId: string }) {
  const { mayEdit } = useRole();
  const [name, setName] = useState("");
  const [{ fetching, error }, create] = useMutation(CreateProject);
  if (!mayEdit) return <Empty title="There is no project yet">Somebody who may edit has to make one.</Empty>;

  function submit(event: SubmitEvent) {
    event.preventDefault();
    void create({ input: { orgId, name } });
  }
  return (
    <Empty title="Make a project first">
      <form onSubmit={submit}>
        <Stack>
          <Group align="end">
            <TextInput label="Its name" value={name} onChange={(event) => setName(event.currentTarget.value)} error={trouble(error)?.message} required />
            <Button type="submit" loading={fetching}>
              Make it
            </Button>
          </Group>
        </Stack>
      </form>
    </Empty>
  );
}
