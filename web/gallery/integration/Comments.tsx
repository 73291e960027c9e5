import { Anchor, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useWhenChanged } from "../connection";
import { trouble } from "../errors";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { count } from "../kit/words";
import { useFilters } from "../shell/useFilters";
import { Markdown } from "./Markdown";
import { CommentsOn, type Integration } from "./operations";
import { Section } from "./Section";

/** What people said of an object, or answered to a comment; nothing where nobody did. */
export function Comments({ integration, externalId }: { integration: Integration; externalId: string }) {
  const filters = useFilters();
  const [{ data, error, fetching }, read] = useQuery({ query: CommentsOn, variables: { id: integration.id, externalId } });
  const readAgain = () => read({ requestPolicy: "network-only" });
  useWhenChanged(integration.syncState.updatedAt, readAgain);
  const problem = trouble(error);
  const found = data?.syncedObjects;
  const comments = found?.nodes.every((each) => each.externalParentId === externalId) ? found.nodes : undefined; // or they are those of the object before
  if (!comments) {
    if (problem && !fetching) return <Problem what="The comments cannot be read" trouble={problem} retry={readAgain} />;
    return <Skeleton height={14} width="60%" aria-label="The comments are being read" />;
  }
  if (comments.length === 0) return null;
  const all = found?.totalCount ?? 0;
  return (
    <Section title="Comments">
      <Stack gap="md">
        {all > comments.length && (
          <Text size="sm" c="dimmed">
            {count(comments.length)} of {count(all)}.
          </Text>
        )}
        {comments.map((each) => (
          <div key={each.id}>
            <Text size="sm" mb={4}>
              <Anchor component={Link} inherit underline="always" href={filters.href({ object: each.externalId })}>
                {each.title || "Comment"}
              </Anchor>{" "}
              {each.externalUpdatedAt && (
                <Text span size="xs" c="dimmed">
                  <When at={each.externalUpdatedAt} />
                </Text>
              )}
            </Text>
            {each.content?.trim() && <Markdown text={each.content} />}
          </div>
        ))}
      </Stack>
    </Section>
  );
}
