import { Badge, Button, TextInput } from "@mantine/core";
import { type SubmitEvent, useState } from "react";
import { useMutation, useQuery } from "urql";
import { Link } from "wouter";
import { trouble } from "../errors";
import { Problem } from "../kit/Problem";
import { RowSkeletons } from "../kit/RowSkeletons";
import { When } from "../kit/When";
import { useAddress } from "../shell/address";
import { useScope } from "../shell/scope";
import classes from "./administration.module.css";
import { MakeProject, Me, ProjectPage } from "./operations";
import { Cell, Row, Rows } from "./Rows";
import { SectionHead } from "./SectionHead";

/** The organisation's projects, and a form for another one. */
export function ProjectsSection() {
  const { orgId } = useScope();
  const [{ data: me }] = useQuery({ query: Me });
  const limited = me?.viewer.projectIds !== null;
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return (
    <>
      <SectionHead title="Projects">
        Integrations, and what they import, belong to a project of organisation {orgId}; a key may be limited to some. A project stays once it is made.
        {me && limited && " You are limited to the ones below, and cannot make others."}
      </SectionHead>
      {me && !limited && <NewProject />}
      <Rows label="Projects" columns={["Name", "Id", "Made", ""]}>
        {pages.map((after, index) => (
          <Page key={after} after={after} onMore={index === pages.length - 1 ? (next) => setPages([...pages, next]) : null} />
        ))}
      </Rows>
    </>
  );
}

function Page({ after, onMore }: { after: string | null; onMore: ((next: string) => void) | null }) {
  const { orgId, project: chosen } = useScope();
  const address = useAddress();
  const [{ data, error }, read] = useQuery({ query: ProjectPage, variables: { orgId, after } });
  const problem = trouble(error);
  if (!data) {
    return (
      <tr role="row">
        <td role="cell" colSpan={4}>
          {problem ? <Problem what="The projects cannot be read" trouble={problem} retry={() => read({ requestPolicy: "network-only" })} /> : <RowSkeletons label="The projects are being read" />}
        </td>
      </tr>
    );
  }
  const { nodes, pageInfo } = data.projects;
  const next = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  return (
    <>
      {nodes.map(({ id, name, createdAt }) => (
        <Row key={id}>
          <Cell>
            <span className={classes.name}>{name}</span>{" "}
            {id === chosen.id && (
              <Badge size="sm" variant="outline" color="gray" tt="none">
                Chosen
              </Badge>
            )}
          </Cell>
          <Cell label="Id">
            <span className={classes.mono}>{id}</span>
          </Cell>
          <Cell label="Made">
            <When at={createdAt} />
          </Cell>
          <Cell action>
            <Button component={Link} href={address.gallery(id)} size="compact-sm" variant="default" aria-label={`Open ${name}`}>
              Open
            </Button>
          </Cell>
        </Row>
      ))}
      {next !== null && onMore && (
        <tr role="row">
          <td role="cell" colSpan={4} className={classes.more}>
            <Button variant="default" onClick={() => onMore(next)}>
              Load more
            </Button>
          </td>
        </tr>
      )}
    </>
  );
}

function NewProject() {
  const { orgId } = useScope();
  const [name, setName] = useState("");
  const [made, setMade] = useState<string | null>(null);
  const [{ error, fetching }, make] = useMutation(MakeProject);
  const problem = trouble(error);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    setMade(null);
    const { data } = await make({ input: { orgId, name: name.trim() } });
    if (!data) return;
    setMade(data.createProject.name);
    setName("");
  }
  return (
    <form onSubmit={(event) => void submit(event)} autoComplete="off" noValidate>
      <div className={classes.bar}>
        <TextInput
          label="A new project’s name"
          placeholder="Website"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={problem?.field === "name" ? problem.message : undefined}
          inputWrapperOrder={["label", "error", "input"]}
          w={320}
          maw="100%"
        />
        <Button type="submit" loading={fetching} disabled={!name.trim()}>
          Create
        </Button>
      </div>
      <p role="status" className={classes.words} style={{ marginBottom: made ? 12 : 0 }}>
        {made && `The project ${made} was made.`}
      </p>
      {problem && problem.field !== "name" && <Problem what="The project could not be made" trouble={problem} />}
    </form>
  );
}
