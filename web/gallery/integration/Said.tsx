import type { Tone } from "../catalogue/state";
import classes from "./integration.module.css";

/** How something stands: in words, with a dot in their tone. */
export function Said({ words, tone }: { words: string; tone: Tone }) {
  return (
    <span className={classes.said} data-tone={tone}>
      <span className={classes.dot} aria-hidden="true" />
      <span>{words}</span>
    </span>
  );
}
