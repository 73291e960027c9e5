import { Text } from "@mantine/core";
import { useQuery } from "urql";
import { capital, plural } from "../kit/words";
import type { Run } from "../runs/operations";
import { objectTypes, sums } from "../runs/words";
import classes from "./importing.module.css";
import { Structure } from "./operations";

/** Which items failed, and why, as far as the server keeps that. */
export function Failures({ run }: { run: Run }) {
  const { integrationId, failures } = run;
  // Places have names, where they were read to choose from.
  const [{ data }] = useQuery({ query: Structure, variables: { id: integrationId }, requestPolicy: "cache-only" });
  const names = new Map(data?.externalStructure.map(({ externalId, name }) => [externalId, name]));
  if (failures.length === 0) return null;
  const more = sums(run).failed - failures.length;
  return (
    <section aria-label="What could not be imported">
      <Text size="sm" fw={500} mb={4}>
        What could not be imported
      </Text>
      <ul className={`${classes.failures} ${classes.scrolls}`} tabIndex={0}>
        {failures.map(({ type, externalId, reason }, i) => (
          <li key={i}>
            <Text size="sm">
              {objectTypes[type].one} {names.get(externalId)} <code className={classes.id}>{externalId || "without an id"}</code>
            </Text>
            <Text size="xs" c="dimmed">
              {capital(reason)}
            </Text>
          </li>
        ))}
      </ul>
      {more > 0 && (
        <Text size="xs" c="dimmed" mt={4}>
          And {plural(more, "more item")}, which {more === 1 ? "is" : "are"} counted and not named.
        </Text>
      )}
    </section>
  );
}
