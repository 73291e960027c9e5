import { Skeleton } from "@mantine/core";
import classes from "./kit.module.css";

/** Where rows will be. */
export function RowSkeletons({ label }: { label: string }) {
  return (
    <div className={classes.skeletons} aria-busy="true" role="status" aria-label={label}>
      {[1, 2, 3, 4].map((n) => (
        <div key={n} className={classes.skeleton}>
          <Skeleton height={14} width="30%" />
          <Skeleton height={14} width="12%" />
          <Skeleton height={14} width="20%" />
        </div>
      ))}
    </div>
  );
}
