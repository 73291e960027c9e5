import type { ReactNode } from "react";
import classes from "./kit.module.css";

/** Terms (dt) and what they are (dd). */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className={classes.facts}>{children}</dl>;
}
