import classes from "./kit.module.css";

/** Told to screen readers alone, and again with each change: words without numbers that change all the time. */
export function Announced({ children }: { children: string }) {
  return (
    <span role="status" className={classes.unseen}>
      {children}
    </span>
  );
}
