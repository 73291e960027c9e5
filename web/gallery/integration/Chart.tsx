import { Text, Title } from "@mantine/core";
import { useNow } from "../kit/When";
import { count, exact, plural } from "../kit/words";
import { took } from "../runs/words";
import { bars, type Bar } from "./bars";
import classes from "./integration.module.css";
import type { Run } from "../runs/operations";
import { changes, outcome } from "./words";

const most = 20;
const height = 64;
const wide = 20; // of a bar with its gap

/** What the latest runs changed, and how long they took: from left to right. The table has the same in words. */
export function Chart({ runs }: { runs: Run[] }) {
  const now = useNow();
  const shown = bars(runs.slice(0, most), now).reverse();
  const largest = Math.max(...shown.map(({ total }) => total));
  const longest = Math.max(...shown.map(({ duration }) => duration));
  const failed = shown.filter(({ run }) => run.status === "ERROR").length;
  const summary = `The latest ${plural(shown.length, "run")}, oldest first: at most ${count(largest)} changes in one, at most ${took(longest)} for one, ${failed === 0 ? "none" : count(failed)} failed. The table below has each.`;
  return (
    <section className={classes.box} aria-labelledby="chart">
      <Title order={2} size="h6" id="chart" mb="xs">
        Latest runs
      </Title>
      <div className={classes.charts}>
        <figure style={{ margin: 0 }}>
          <svg role="img" aria-label={summary} className={classes.chart} viewBox={`0 0 ${most * wide} ${height}`} preserveAspectRatio="none">
            {shown.map((bar, n) => (
              <Stack key={bar.run.id} bar={bar} x={n * wide} scale={largest} />
            ))}
          </svg>
          <figcaption className={classes.legend}>
            <span>Changes, at most {count(largest)}:</span>
            {(["created", "updated", "deleted", "failed"] as const).map((name) => (
              <span key={name}>
                <span className={`${classes.key} ${classes[name]}`} aria-hidden="true" />
                {name}
              </span>
            ))}
          </figcaption>
        </figure>
        <figure style={{ margin: 0 }} aria-hidden="true">
          <svg className={classes.chart} viewBox={`0 0 ${most * wide} ${height}`} preserveAspectRatio="none">
            {shown.map(({ run, duration }, n) => {
              const tall = Math.max(1, (duration / (longest || 1)) * height);
              return (
                <rect key={run.id} className={classes.lasted} x={n * wide + 2} y={height - tall} width={wide - 4} height={tall}>
                  <title>{`${exact(new Date(run.queuedAt))}: ${took(duration)}`}</title>
                </rect>
              );
            })}
          </svg>
          <figcaption className={classes.legend}>Duration, at most {took(longest)}</figcaption>
        </figure>
      </div>
      {shown.length < runs.length && (
        <Text size="xs" c="dimmed">
          Of {plural(runs.length, "run")} in the table.
        </Text>
      )}
    </section>
  );
}

function Stack({ bar: { run, pieces }, x, scale }: { bar: Bar; x: number; scale: number }) {
  let y = height;
  return (
    <g>
      <title>{`${exact(new Date(run.queuedAt))}: ${changes(run)}. ${outcome(run).words}.`}</title>
      <rect className={classes.floor} x={x + 2} y={height - 1} width={wide - 4} height={1} />
      {pieces.map(({ name, n }) => {
        const tall = Math.max(2, (n / scale) * height); // or a few among thousands were not seen
        y -= tall;
        return <rect key={name} className={classes[name]} x={x + 2} y={Math.max(0, y)} width={wide - 4} height={tall} />;
      })}
    </g>
  );
}
