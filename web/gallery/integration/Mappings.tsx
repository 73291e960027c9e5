import { Alert, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useMutation, useQuery } from "urql";
import { trouble, troubles } from "../errors";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { useRole } from "../shell/session";
import classes from "./integration.module.css";
import { MappingLine } from "./MappingLine";
import { type Draft, draftOf, faultsFor, faultsOf, inputOf, isPlace, kinds, type Line, line, placesOf, same } from "./lines";
import { type Integration, type Mapping, ObjectTitle, SetMappings, Structure } from "./operations";

interface Props {
  integration: Integration;
  draft: Draft | null;
  onDraft(draft: Draft | null): void;
}

/** What external things become here. */
export function Mappings(props: Props) {
  const { mayEdit } = useRole();
  return (
    <Stack>
      <Text size="sm" c="dimmed" maw={640}>
        A mapping says what something of {props.integration.provider.displayName} becomes here: under which object a space, folder or list goes, who a person is, what a custom field is called. Mappings take
        effect with the next run.
      </Text>
      {mayEdit ? <Editor {...props} /> : <ReadOnly integration={props.integration} />}
    </Stack>
  );
}

function Editor({ integration, draft, onDraft }: Props) {
  const { id, syncState, hasConfiguration, provider } = integration;
  const saved = syncState.mappings;
  const text = JSON.stringify(saved);
  const whole = useMemo(() => draftOf(JSON.parse(text) as Mapping[]), [text]); // its lines keep their keys, and so the focus
  const { lines, base } = draft ?? whole;
  const [{ error, fetching }, save] = useMutation(SetMappings);
  const [sent, setSent] = useState<Line[]>([]);
  // It asks the third party: once is enough.
  const [structure, readStructure] = useQuery({ query: Structure, variables: { integrationId: id }, pause: !hasConfiguration, requestPolicy: "cache-first" });
  const reading = structure.fetching;
  const nodes = structure.data?.externalStructure;
  const places = useMemo(() => (nodes ? placesOf(nodes) : reading ? placesOf([]) : null), [nodes, reading]);
  const unnamed = trouble(structure.error);
  const faults = useMemo(() => faultsOf(error ? troubles(error) : []), [error]);
  const unsaved = draft !== null;

  function change(next: Line[]) {
    onDraft(same(next, base) ? null : { lines: next, base });
  }
  // The lines are given the same functions all the time.
  const latest = useRef({ lines, change });
  useEffect(() => {
    latest.current = { lines, change };
  });
  const put = useCallback((changed: Line) => latest.current.change(latest.current.lines.map((other) => (other.key === changed.key ? changed : other))), []);
  const remove = useCallback((gone: Line) => latest.current.change(latest.current.lines.filter(({ key }) => key !== gone.key)), []);
  async function submit() {
    setSent(lines);
    const answer = await save({ integrationId: id, mappings: inputOf(lines) });
    if (!answer.error) onDraft(null);
  }

  return (
    <form
      noValidate
      aria-busy={reading}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Stack>
        {unnamed && <Problem what={`The names in ${provider.displayName} cannot be read: give ids instead`} trouble={unnamed} retry={() => readStructure({ requestPolicy: "network-only" })} />}
        {draft && !same(saved, base) && (
          <Alert color="yellow" title="Somebody else changed the mappings meanwhile" role="status">
            <Stack gap="xs" align="start">
              <Text size="sm">Saving yours replaces theirs.</Text>
              <Button size="xs" variant="default" onClick={() => onDraft(null)}>
                Take theirs
              </Button>
            </Stack>
          </Alert>
        )}
        {lines.length === 0 ? (
          <Empty title="Nothing is mapped">Everything keeps its place and its name.</Empty>
        ) : (
          <div className={classes.list} style={{ overflow: "visible" }}>
            {lines.map((each, n) => (
              <MappingLine
                key={each.key}
                line={each}
                number={n + 1}
                places={places}
                reading={reading}
                faults={faultsFor(each, sent, faults.lines)}
                onChange={put}
                onRemove={remove}
              />
            ))}
          </div>
        )}
        {faults.rest.map((problem) => (
          <Problem key={problem.message} what="The mappings were not saved" trouble={problem} />
        ))}
        <Group>
          <Button variant="default" size="xs" onClick={() => change([...lines, line({ kind: "LIST", externalId: "", target: "" })])}>
            Add a mapping
          </Button>
          {(unsaved || saved.length > 0) && (
            <Button type="submit" size="xs" loading={fetching} disabled={!unsaved}>
              Save
            </Button>
          )}
          {unsaved && (
            <Button variant="subtle" color="gray" size="xs" onClick={() => onDraft(null)}>
              Discard changes
            </Button>
          )}
          <Text size="sm" c="dimmed" role="status">
            {unsaved ? "Not saved yet" : ""}
          </Text>
        </Group>
      </Stack>
    </form>
  );
}

function ReadOnly({ integration: { id, syncState } }: { integration: Integration }) {
  if (syncState.mappings.length === 0) return <Empty title="Nothing is mapped">Everything keeps its place and its name.</Empty>;
  return (
    <div className={classes.list}>
      <Table className={classes.table} aria-label="Mappings">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>What</Table.Th>
            <Table.Th>From</Table.Th>
            <Table.Th>Becomes</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {syncState.mappings.map((mapping) => (
            <Table.Tr key={`${mapping.kind} ${mapping.externalId}`}>
              <Table.Td>{kinds[mapping.kind].name}</Table.Td>
              <Table.Td>
                <Name integrationId={id} mapping={mapping} externalId={mapping.externalId} />
              </Table.Td>
              <Table.Td>
                <Name integrationId={id} mapping={mapping} externalId={mapping.target} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** What was imported under an id is called by its title. */
function Name({ integrationId, mapping, externalId }: { integrationId: string; mapping: Mapping; externalId: string }) {
  const [{ data }] = useQuery({ query: ObjectTitle, variables: { integrationId, externalId }, pause: !isPlace(mapping.kind) });
  const title = data?.syncedObject?.title;
  if (!title) return externalId;
  return (
    <>
      {title}
      <Text size="xs" c="dimmed">
        {externalId}
      </Text>
    </>
  );
}
