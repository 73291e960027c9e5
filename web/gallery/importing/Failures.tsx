import { Text } from "@mantine/core";
import { plural } from "../kit/words";
import classes from "./importing.module.css";
import type { ImportRun } from "./operations";
import { sum, typeName } from "./run";

/** Which items failed, and why, as far as the server keeps that. */
export function Failures({ run: { failures, counts } }: { run: ImportRun }) {
  if (failures.length === 0) return null;
  const more = sum(counts, "failed") - failures.length;
  return (
    <section aria-label="What could not be imported">
      <Text size="sm" fw={500} mb={4}>
        What could not be imported
      </Text>
      <ul className={`${classes.failures} ${classes.scrolls}`} tabIndex={0}>
        {failures.map(({ type, externalId, reason }, i) => (
          <li key={i}>
            <Text size="sm">
              {typeName(type)} <code className={classes.id}>{externalId || "without an id"}</code>
            </Text>
            <Text size="xs" c="dimmed">
              {reason}
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
