import type { ReactNode } from "react";
import classes from "./administration.module.css";

// A table that is a list of cards on a phone. Its roles are given because browsers forget them once it is displayed as blocks.

interface Props {
  label: string;
  /** The last one may be empty, for actions. */
  columns: string[];
  children: ReactNode;
}

export function Rows({ label, columns, children }: Props) {
  return (
    <div className={classes.panel}>
      <table role="table" className={classes.rows} aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column} role="columnheader" scope="col">
                {column || <span className={classes.hidden}>Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">{children}</tbody>
      </table>
    </div>
  );
}

export function Row({ children, quiet = false }: { children: ReactNode; quiet?: boolean }) {
  return (
    <tr role="row" data-quiet={quiet || undefined}>
      {children}
    </tr>
  );
}

/** label is shown on a phone, where there is no head. */
export function Cell({ label, action = false, children }: { label?: string; action?: boolean; children: ReactNode }) {
  return (
    <td role="cell" data-label={label} data-action={action || undefined}>
      {children}
    </td>
  );
}
