import { Anchor, Badge, Drawer, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useWhenChanged } from "../connection";
import { trouble } from "../errors";
import { Empty } from "../kit/Empty";
import { Facts } from "../kit/Facts";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { count } from "../kit/words";
import { objectTypes } from "../runs/words";
import { Comments } from "./Comments";
import classes from "./integration.module.css";
import { Markdown } from "./Markdown";
import { type Integration, ObjectByExternalId, type SyncedObject } from "./operations";
import { Outward } from "./Outward";
import { Properties } from "./Properties";
import { Section } from "./Section";
import { useFilters } from "../shell/useFilters";

interface Props {
  integration: Integration;
  /** Null: it is closed. */
  externalId: string | null;
  onClose(): void;
}

/** One object, whole. Its relationships lead on within the drawer, and the browser's own button back. */
export default function ObjectDrawer({ integration, externalId, onClose }: Props) {
  const [{ data, error, stale, fetching }, read] = useQuery({
    query: ObjectByExternalId,
    variables: { integrationId: integration.id, externalId: externalId ?? "" },
    pause: externalId === null,
  });
  const readAgain = () => read({ requestPolicy: "network-only" });
  useWhenChanged(integration.syncState.updatedAt, () => externalId !== null && readAgain());
  const object = data?.syncedObject;
  const shown = object?.externalId === externalId ? object : undefined; // or it is the one before
  const problem = trouble(error);
  const waiting = fetching || stale;
  return (
    <Drawer opened={externalId !== null} onClose={onClose} position="right" size="lg" title={shown ? shown.title || "Without a title" : "Object"} padding="lg" classNames={{ title: classes.drawerTitle ?? "" }}>
      {shown ? (
        <Whole integration={integration} object={shown} />
      ) : problem && !waiting ? (
        <Problem what="The object cannot be read" trouble={problem} retry={readAgain} />
      ) : object === null && !waiting ? (
        <Empty title="There is no such object">It was never imported, or another integration has it.</Empty>
      ) : (
        <div aria-busy="true" aria-label="The object is being read">
          {[1, 2, 3, 4, 5].map((n) => (
            <Skeleton key={n} height={14} mb="sm" width={`${100 - n * 9}%`} />
          ))}
        </div>
      )}
    </Drawer>
  );
}

function Whole({ integration, object }: { integration: Integration; object: SyncedObject }) {
  const { type, content, properties, externalId, externalUrl, externalUpdatedAt, syncedAt, deletedAt } = object;
  const source = integration.provider.displayName;
  const top = useRef<HTMLDivElement>(null);
  const first = useRef(externalId);
  useEffect(() => {
    if (first.current === externalId) return; // the drawer has the focus
    first.current = externalId;
    top.current?.focus();
  }, [externalId]);
  return (
    <Stack gap="lg">
      <div ref={top} tabIndex={-1} style={{ outline: "none" }}>
        <Group gap="xs">
          <Badge variant="default" tt="none" fw={500}>
            {objectTypes[type].one}
          </Badge>
          {deletedAt && (
            <Badge color="red" variant="outline" tt="none" fw={500}>
              Deleted
            </Badge>
          )}
          {externalUrl && (
            <Text size="sm">
              <Outward href={externalUrl}>Open in {source}</Outward>
            </Text>
          )}
        </Group>
        <Text size="sm" c="dimmed" mt="xs">
          {deletedAt && (
            <>
              Found to be deleted <When at={deletedAt} />.{" "}
            </>
          )}
          {externalUpdatedAt && (
            <>
              Changed in {source} <When at={externalUpdatedAt} />.{" "}
            </>
          )}
          Imported <When at={syncedAt} />.
        </Text>
      </div>
      {content?.trim() && (
        <Section title="Text">
          <Markdown text={content} />
        </Section>
      )}
      {Object.keys(properties).length > 0 && (
        <Section title="Properties">
          <Properties of={properties} />
        </Section>
      )}
      <Relationships object={object} />
      {(type === "TASK" || type === "COMMENT") && <Comments integration={integration} externalId={externalId} />}
      <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        Id in {source}: {externalId}
      </Text>
    </Stack>
  );
}

const most = 100; // relationships of an object that the API tells

type Kind = SyncedObject["relationships"][number]["type"];

const kinds: Record<Kind, string> = { BELONGS_TO: "In", COMMENT_ON: "Comment on", PARENT_OF: "Contains", ASSIGNED_TO: "Assigned to" };

function Relationships({ object: { relationships, externalParentId } }: { object: SyncedObject }) {
  const filters = useFilters();
  const named = relationships.some(({ target }) => target.externalId === externalParentId);
  if (relationships.length === 0 && !externalParentId) return null;
  return (
    <Section title="Relationships">
      {relationships.length >= most && (
        <Text size="sm" c="dimmed" mb="xs">
          The first {count(most)}.
        </Text>
      )}
      <Facts>
        {externalParentId && !named && (
          <>
            <dt>Below</dt>
            <dd>
              <Anchor component={Link} inherit underline="always" href={filters.href({ object: externalParentId })}>
                {externalParentId}
              </Anchor>
            </dd>
          </>
        )}
        {(Object.keys(kinds) as Kind[]).map((kind) => {
          const of = relationships.filter(({ type }) => type === kind);
          if (of.length === 0) return null;
          return (
            <div key={kind} style={{ display: "contents" }}>
              <dt>{kinds[kind]}</dt>
              <dd>
                {of.map(({ target }) => (
                  <div key={target.id}>
                    <Anchor component={Link} inherit underline="always" href={filters.href({ object: target.externalId })}>
                      {target.title || "Without a title"}
                    </Anchor>{" "}
                    <Text span size="xs" c="dimmed">
                      {objectTypes[target.type].one}
                    </Text>
                  </div>
                ))}
              </dd>
            </div>
          );
        })}
      </Facts>
    </Section>
  );
}
