import { Title } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./administration.module.css";

/** A section's title, what it is about, and its one action. */
export function SectionHead({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <div className={classes.head}>
      <div className={classes.about}>
        <Title order={1} size="h3">
          {title}
        </Title>
        <p className={classes.words}>{children}</p>
      </div>
      {action}
    </div>
  );
}
